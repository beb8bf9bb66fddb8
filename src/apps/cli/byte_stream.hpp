// Input as a stream that can be looked ahead: what was read stays until it is taken. Grows to the longest
// record only.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace tailwater::apps::cli {

class ByteStream {
 public:
  // Reads up to `size` bytes; 0 at the end. May block.
  using Source = std::function<std::size_t(char* to, std::size_t size)>;
  // No record is longer than this.
  static constexpr std::size_t kRecordMax = std::size_t{1} << 28;

  explicit ByteStream(Source source) : source_(std::move(source)) {}
  static ByteStream of(std::string_view text);

  // Whether nothing is left. Reads if it must.
  bool at_end();
  // The next byte. REQUIRES: !at_end().
  char front() const { return buffer_[at_]; }

  // Views live until the next call. Too few bytes left: truncated; too many wanted: too_large.
  Result<std::string_view> take(std::size_t size);
  // Up to and without `delimiter`, which is taken too. nullopt: it does not come; nothing was taken.
  Result<std::optional<std::string_view>> take_until(std::string_view delimiter);
  // All that is left.
  Result<std::string_view> take_rest();
  // The byte at a distance from the front, if there is one.
  std::optional<char> peek(std::size_t distance);
  // What can be seen without reading more.
  std::string_view seen() const { return std::string_view(buffer_).substr(at_); }

 private:
  bool fill();  // false at the end

  Source source_;
  std::string buffer_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

}  // namespace tailwater::apps::cli
