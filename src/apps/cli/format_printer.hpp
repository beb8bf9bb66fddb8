// Prints records by a format (format_syntax.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "apps/cli/format_syntax.hpp"
#include "apps/cli/record.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

class FormatPrinter {
 public:
  static Result<FormatPrinter> make(std::string_view format);

  // Appends the next record. A null key or value prints nothing, and its size is -1 (all bits set in binary
  // forms), as the reader of formats understands it.
  void append(std::string& out, const RecordView& record);

 private:
  explicit FormatPrinter(std::vector<FormatItem> items) : items_(std::move(items)) {}

  std::vector<FormatItem> items_;
  std::int64_t count_ = 0;
};

}  // namespace tailwater::apps::cli
