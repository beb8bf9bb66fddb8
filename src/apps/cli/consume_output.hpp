// Which consumed records are shown, and how.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/cli/format_printer.hpp"
#include "apps/cli/pattern.hpp"
#include "apps/cli/record.hpp"
#include "apps/cli/record_json.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

// All conditions that were given must hold.
class RecordFilter {
 public:
  // Regular expressions, but for the names of headers: "name" asks that it is there, "name=expression" that
  // one such header has a value that matches.
  struct Conditions {
    std::string key;
    std::string value;
    std::vector<std::string> headers;
  };
  static Result<RecordFilter> make(const Conditions& conditions);

  bool shows(const RecordView& record) const;
  bool needs_headers() const { return !headers_.empty(); }

 private:
  struct HeaderCondition {
    std::string name;
    std::optional<Pattern> value;
  };
  std::optional<Pattern> key_;
  std::optional<Pattern> value_;
  std::vector<HeaderCondition> headers_;
};

// Collects what is to be printed and writes it to standard output.
class RecordWriter {
 public:
  // `format`: a record format, or one of json, raw (values only, nothing between them), hex.
  static Result<RecordWriter> make(const std::string& format, RecordParts parts);

  void write(const RecordView& record);
  // false: standard output takes no more, now or ever. What was not written before may be written in part.
  bool flush();
  bool is_full() const { return buffer_.size() >= kFull; }
  bool needs_headers() const { return needs_headers_; }
  bool needs_watermarks() const { return needs_watermarks_; }

 private:
  static constexpr std::size_t kFull = std::size_t{1} << 16;
  RecordWriter() = default;

  std::optional<FormatPrinter> printer_;  // none: JSON
  RecordParts parts_ = RecordParts::all;
  bool needs_headers_ = true;
  bool needs_watermarks_ = false;
  bool is_broken_ = false;  // standard output takes no more
  std::string buffer_;
};

}  // namespace tailwater::apps::cli
