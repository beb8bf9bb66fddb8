#include "apps/nearest_name.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tailwater::apps {

namespace {

// Letters to change, to add, to take away, or to swap with their neighbour.
std::size_t mistakes(std::string_view wrong, std::string_view right) {
  const std::size_t columns = right.size() + 1;
  std::vector<std::size_t> table((wrong.size() + 1) * columns);
  const auto at = [&](std::size_t line, std::size_t column) -> std::size_t& {
    return table[line * columns + column];
  };
  for (std::size_t column = 0; column < columns; ++column) at(0, column) = column;
  for (std::size_t line = 1; line <= wrong.size(); ++line) {
    at(line, 0) = line;
    for (std::size_t column = 1; column < columns; ++column) {
      const bool same = wrong[line - 1] == right[column - 1];
      std::size_t fewest = std::min(
          {at(line - 1, column - 1) + (same ? 0 : 1), at(line - 1, column) + 1, at(line, column - 1) + 1});
      const bool swapped = line > 1 && column > 1 && wrong[line - 1] == right[column - 2] &&
                           wrong[line - 2] == right[column - 1];
      if (swapped) fewest = std::min(fewest, at(line - 2, column - 2) + 1);
      at(line, column) = fewest;
    }
  }
  return at(wrong.size(), columns - 1);
}

// "ls" for list, "desc" for describe: letters of the name in their order, from its first on.
bool abbreviates(std::string_view word, std::string_view name) {
  if (word.size() < 2 || name.empty() || word[0] != name[0]) return false;
  std::size_t met = 0;
  for (const char letter : name) met += met < word.size() && word[met] == letter ? 1 : 0;
  return met == word.size();
}

}  // namespace

std::string nearest_name(std::string_view wrong, std::span<const std::string> known) {
  constexpr std::size_t kLettersMax = 256;
  std::string best;
  std::size_t fewest = (wrong.size() + 2) / 3 + 1;
  if (wrong.size() > kLettersMax) return best;
  for (const std::string& name : known) {
    const std::size_t found = abbreviates(wrong, name) ? 1 : mistakes(wrong, name);
    if (found >= fewest || found >= name.size()) continue;
    fewest = found;
    best = name;
  }
  return best;
}

}  // namespace tailwater::apps
