#include "apps/cli/table.hpp"

#include <algorithm>

#include "apps/cli/text_encoding.hpp"
#include "base/check.hpp"

namespace tailwater::apps::cli {

void Table::row(std::vector<std::string> cells) {
  CHECK(cells.size() == rows_.front().size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], display_width(row[column]));
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      text += row[column];
      if (column + 1 < row.size()) text.append(widths[column] - display_width(row[column]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

}  // namespace tailwater::apps::cli
