// Takes records out of a stream by a format (format_syntax.hpp): the counterpart of FormatPrinter.
//
// A text verb reads as many bytes as a size verb before it said; else up to the literal behind it; else, at
// the end of the format, all that is left; {json} reads one JSON value. Sizes count decoded bytes, so that
// what `%K{big32}%k{hex}` prints is what it reads. Size -1 stands for null.
//
// A format of delimited texts that ends in a literal (as "%k\t%v\n" does) is read line by line: a line that
// lacks an inner delimiter is an error, and never swallows the next one. The last line may lack its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/cli/byte_stream.hpp"
#include "apps/cli/format_syntax.hpp"
#include "apps/cli/record.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

class FormatReader {
 public:
  static Result<FormatReader> make(std::string_view format);

  // Fills `record`; false at the end of the input. Errors name the record's number.
  Result<bool> next(ByteStream& stream, InputRecord& record);

 private:
  // Sizes that were read and wait for their texts. INT64_MIN: none; -1: null.
  static constexpr std::int64_t kUnknown = INT64_MIN;
  struct Sizes {
    std::int64_t topic = kUnknown;
    std::int64_t key = kUnknown;
    std::int64_t value = kUnknown;
    std::int64_t headers = kUnknown;
    std::int64_t of(Verb text) const;
  };
  struct Target;

  explicit FormatReader(std::vector<FormatItem> items) : items_(std::move(items)) {}

  Result<void> read_items(ByteStream& stream, const std::vector<FormatItem>& items, Sizes& sizes,
                          Target& target);
  Result<void> read_headers(ByteStream& stream, const FormatItem& item, const Sizes& sizes, Target& target);
  Result<void> read_number_item(ByteStream& stream, const FormatItem& item, Sizes& sizes, Target& target);
  Result<bool> next_line(ByteStream& stream, InputRecord& record);

  std::vector<FormatItem> items_;
  std::string line_end_;  // not empty: lines are cut off first
  std::int64_t count_ = 0;
};

}  // namespace tailwater::apps::cli
