// Aligned columns for people. Column names are one word, so that awk can take them apart.
#pragma once

#include <string>
#include <vector>

namespace tailwater::apps::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> columns) : rows_{std::move(columns)} {}

  // As many cells as there are columns. An empty cell is shown as "-".
  void row(std::vector<std::string> cells);
  bool empty() const { return rows_.size() == 1; }
  // Lines with their ends; control characters in cells are made visible.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the columns' names first
};

}  // namespace tailwater::apps::cli
