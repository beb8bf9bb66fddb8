// A parser that makes a tree, a tree that becomes a program, and all ways through the program at once
// (Thompson's construction): no way is gone back.
#include "base/regular_expression.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

namespace tailwater {

namespace {

using Range = RegularExpression::Range;
using Instruction = RegularExpression::Instruction;
using Assertion = Instruction::Assertion;
using Ranges = std::vector<Range>;

constexpr char32_t kLast = 0x10'FFFF;
constexpr int kDepthMax = 200;
constexpr int kRepeatMax = 1'000;
constexpr std::size_t kProgramMax = 20'000;
constexpr std::size_t kStepsMax = 5 * kProgramMax;

// The first character of `text`, taken off. REQUIRES: not empty.
char32_t take_character(std::string_view& text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  const std::size_t size = first < 0x80   ? 1
                           : first < 0xC2 ? 0
                           : first < 0xE0 ? 2
                           : first < 0xF0 ? 3
                           : first < 0xF5 ? 4
                                          : 0;
  char32_t character = first;
  if (size > 1 && size <= text.size()) {
    character = first & (0xFFU >> (size + 1));
    for (std::size_t at = 1; at < size; ++at) {
      if ((byte(at) & 0xC0) != 0x80) {
        text.remove_prefix(1);
        return first;
      }
      character = character << 6 | (byte(at) & 0x3FU);
    }
    text.remove_prefix(size);
    return character;
  }
  text.remove_prefix(1);
  return character;
}

bool is_word(char32_t character) {
  return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
         (character >= 'a' && character <= 'z') || character == '_';
}

void tidy(Ranges& ranges) {
  std::ranges::sort(ranges);
  Ranges joined;
  for (const Range& each : ranges) {
    if (!joined.empty() && each.first <= joined.back().second + 1) {
      joined.back().second = std::max(joined.back().second, each.second);
    } else {
      joined.push_back(each);
    }
  }
  ranges = std::move(joined);
}

// REQUIRES: tidy.
Ranges all_but(const Ranges& ranges) {
  Ranges others;
  char32_t from = 0;
  for (const auto& [first, last] : ranges) {
    if (first > from) others.emplace_back(from, first - 1);
    from = last + 1;
  }
  if (from <= kLast) others.emplace_back(from, kLast);
  return others;
}

void fold_case(Ranges& ranges) {
  const Ranges before = ranges;
  const auto fold = [&](const Range& each, char32_t from, char32_t to) {
    const char32_t first = std::max(each.first, from);
    const char32_t last = std::min<char32_t>(each.second, from + 25);
    if (first <= last) ranges.emplace_back(first - from + to, last - from + to);
  };
  for (const Range& each : before) {
    fold(each, 'a', 'A');
    fold(each, 'A', 'a');
  }
  tidy(ranges);
}

struct NamedClass {
  std::string_view name;
  Ranges ranges;
};

std::optional<Ranges> class_named(std::string_view name) {
  const NamedClass known[] = {
      {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
      {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
      {"ascii", {{0, 0x7F}}},
      {"blank", {{'\t', '\t'}, {' ', ' '}}},
      {"cntrl", {{0, 0x1F}, {0x7F, 0x7F}}},
      {"digit", {{'0', '9'}}},
      {"graph", {{'!', '~'}}},
      {"lower", {{'a', 'z'}}},
      {"print", {{' ', '~'}}},
      {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
      {"space", {{'\t', '\r'}, {' ', ' '}}},
      {"upper", {{'A', 'Z'}}},
      {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
      {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
  };
  const auto found = std::ranges::find(known, name, &NamedClass::name);
  if (found == std::end(known)) return std::nullopt;
  return found->ranges;
}

// \d and its like; the capital letter means all others.
std::optional<Ranges> class_of_letter(char32_t letter) {
  std::optional<Ranges> ranges;
  switch (letter | 0x20) {
    case 'd':
      ranges = class_named("digit");
      break;
    case 's':
      ranges = Ranges{{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
      break;
    case 'w':
      ranges = class_named("word");
      break;
    default:
      return std::nullopt;
  }
  if (letter < 'a') ranges = all_but(*ranges);
  return ranges;
}

struct Node;
using NodePointer = std::unique_ptr<Node>;

struct Node {
  enum class Kind : std::uint8_t { sequence, alternation, repetition, characters, assertion };
  Kind kind = Kind::sequence;
  std::vector<NodePointer> parts;  // of a repetition: one
  int least = 0;
  int most = 0;  // -1: without end
  Ranges ranges;
  Assertion assertion{};
};

NodePointer node(Node::Kind kind) {
  auto made = std::make_unique<Node>();
  made->kind = kind;
  return made;
}
NodePointer characters(Ranges ranges) {
  auto made = node(Node::Kind::characters);
  made->ranges = std::move(ranges);
  return made;
}
NodePointer assertion(Assertion what) {
  auto made = node(Node::Kind::assertion);
  made->assertion = what;
  return made;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  // Null: not a regular expression.
  NodePointer parse() {
    NodePointer tree = alternation(0);
    return rest_.empty() ? std::move(tree) : nullptr;
  }

 private:
  struct Flags {
    bool folds = false;
    bool lines = false;
    bool dot_takes_all = false;
  };

  bool next_is(std::string_view text) const { return rest_.starts_with(text); }
  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  NodePointer alternation(int depth) {
    if (depth > kDepthMax) return nullptr;
    auto all = node(Node::Kind::alternation);
    do {
      NodePointer one = sequence(depth);
      if (one == nullptr) return nullptr;
      all->parts.push_back(std::move(one));
    } while (take("|"));
    return all;
  }

  NodePointer sequence(int depth) {
    auto all = node(Node::Kind::sequence);
    while (!rest_.empty() && !next_is("|") && !next_is(")")) {
      if (take("\\Q")) {
        bool any = false;
        for (; !rest_.empty() && !take("\\E"); any = true)
          all->parts.push_back(literal(take_character(rest_)));
        if (any && !repetitions(all->parts.back())) return nullptr;
        continue;
      }
      NodePointer one = item(depth);
      if (one == nullptr || !repetitions(one)) return nullptr;
      all->parts.push_back(std::move(one));
    }
    return all;
  }

  NodePointer literal(char32_t character) const { return set({{character, character}}); }
  NodePointer set(Ranges ranges) const {
    tidy(ranges);
    if (flags_.folds) fold_case(ranges);
    return characters(std::move(ranges));
  }

  NodePointer item(int depth) {
    if (take("(")) return group(depth);
    if (take("[")) return bracket();
    if (take("\\")) return escape();
    if (take(".")) return characters(flags_.dot_takes_all ? Ranges{{0, kLast}} : all_but({{'\n', '\n'}}));
    if (take("^")) return assertion(flags_.lines ? Assertion::line_begin : Assertion::text_begin);
    if (take("$")) return assertion(flags_.lines ? Assertion::line_end : Assertion::text_end);
    if (next_is("*") || next_is("+") || next_is("?")) return nullptr;  // of nothing
    return literal(take_character(rest_));
  }

  NodePointer group(int depth) {
    const Flags outside = flags_;
    if (take("?P<") || take("?<")) {
      const std::size_t end = rest_.find('>');
      const std::string_view name = rest_.substr(0, end);
      if (end == std::string_view::npos || name.empty() || !std::ranges::all_of(name, is_word))
        return nullptr;
      rest_.remove_prefix(end + 1);
    } else if (take("?")) {
      if (!take_flags()) return nullptr;
      if (take(")")) return node(Node::Kind::sequence);  // from here to the end of what is around
      if (!take(":")) return nullptr;
    }
    NodePointer inside = alternation(depth + 1);
    flags_ = outside;
    return inside != nullptr && take(")") ? std::move(inside) : nullptr;
  }

  bool take_flags() {
    bool on = true;
    while (!rest_.empty() && !next_is(":") && !next_is(")")) {
      const char flag = rest_.front();
      rest_.remove_prefix(1);
      switch (flag) {
        case 'i':
          flags_.folds = on;
          break;
        case 'm':
          flags_.lines = on;
          break;
        case 's':
          flags_.dot_takes_all = on;
          break;
        case 'U':
          break;  // which way is tried first does not matter for a whole text
        case '-':
          if (!on) return false;
          on = false;
          break;
        default:
          return false;
      }
    }
    return true;
  }

  std::optional<int> number() {
    int value = 0;
    std::size_t digits = 0;
    for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits) {
      value = std::min(value * 10 + (rest_[digits] - '0'), kRepeatMax + 1);
    }
    if (digits == 0) return std::nullopt;
    rest_.remove_prefix(digits);
    return value;
  }

  bool repetitions(NodePointer& one) {
    int in_a_row = 0;
    while (!rest_.empty()) {
      int least = 0;
      int most = -1;
      const std::string_view before = rest_;
      if (take("+")) {
        least = 1;
      } else if (take("?")) {
        most = 1;
      } else if (take("{")) {
        const auto first = number();
        std::optional<int> last = first;
        if (first && take(",")) last = next_is("}") ? -1 : number();
        if (!first || !last || !take("}")) {
          rest_ = before;  // a brace like any letter
          return true;
        }
        if (*first > kRepeatMax || *last > kRepeatMax || (*last >= 0 && *last < *first)) return false;
        least = *first;
        most = *last;
      } else if (!take("*")) {
        return true;
      }
      take("?");
      if (++in_a_row > 1) return false;  // "**" is a mistake, and "a{2}{3}" too dear
      auto all = node(Node::Kind::repetition);
      all->least = least;
      all->most = most;
      all->parts.push_back(std::move(one));
      one = std::move(all);
    }
    return true;
  }

  // Behind a backslash: a character; nothing if it is none.
  std::optional<char32_t> escaped_character() {
    if (rest_.empty()) return std::nullopt;
    const char32_t letter = take_character(rest_);
    constexpr std::string_view kNames = "tnrfva";
    constexpr std::string_view kValues = "\t\n\r\f\v\a";
    if (letter == 'x') return hexadecimal();
    if (letter >= '0' && letter <= '7') {
      char32_t value = letter - '0';
      if (value != 0 && (rest_.empty() || rest_.front() < '0' || rest_.front() > '7')) return std::nullopt;
      for (int digits = 1; digits < 3 && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '7';
           ++digits) {
        value = value * 8 + static_cast<char32_t>(rest_.front() - '0');
        rest_.remove_prefix(1);
      }
      return value;
    }
    if (letter >= 0x80 || !is_word(letter)) return letter >= 0x80 ? std::nullopt : std::optional(letter);
    const std::size_t known = kNames.find(static_cast<char>(letter));
    if (letter == '_') return letter;
    if (known == std::string_view::npos) return std::nullopt;
    return static_cast<char32_t>(kValues[known]);
  }

  std::optional<char32_t> hexadecimal() {
    const bool braced = take("{");
    char32_t value = 0;
    std::size_t digits = 0;
    for (; digits < rest_.size() && digits < (braced ? 6U : 2U); ++digits) {
      const char digit = rest_[digits];
      if (digit >= '0' && digit <= '9') {
        value = value * 16 + static_cast<char32_t>(digit - '0');
      } else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f') {
        value = value * 16 + static_cast<char32_t>((digit | 0x20) - 'a' + 10);
      } else {
        break;
      }
    }
    rest_.remove_prefix(digits);
    if (braced ? digits == 0 || !take("}") : digits != 2) return std::nullopt;
    if (value > kLast) return std::nullopt;
    return value;
  }

  NodePointer escape() {
    if (rest_.empty()) return nullptr;
    const std::string_view before = rest_;
    const char32_t letter = take_character(rest_);
    switch (letter) {
      case 'A':
        return assertion(Assertion::text_begin);
      case 'z':
        return assertion(Assertion::text_end);
      case 'b':
        return assertion(Assertion::word_edge);
      case 'B':
        return assertion(Assertion::no_word_edge);
      default:
        break;
    }
    if (auto ranges = class_of_letter(letter)) return set(std::move(*ranges));
    rest_ = before;
    const auto character = escaped_character();
    return character ? literal(*character) : nullptr;
  }

  NodePointer bracket() {
    const bool others = take("^");
    Ranges ranges;
    for (bool first = true; first || !next_is("]"); first = false) {
      if (rest_.empty() || !class_item(ranges)) return nullptr;
    }
    take("]");
    tidy(ranges);
    if (flags_.folds) fold_case(ranges);
    return characters(others ? all_but(ranges) : std::move(ranges));
  }

  bool class_item(Ranges& ranges) {
    if (take("[:")) {
      const bool others = take("^");
      const std::size_t end = rest_.find(":]");
      auto named = end == std::string_view::npos ? std::nullopt : class_named(rest_.substr(0, end));
      if (!named) return false;
      rest_.remove_prefix(end + 2);
      if (others) named = all_but(*named);
      ranges.insert(ranges.end(), named->begin(), named->end());
      return true;
    }
    if (next_is("\\") && rest_.size() > 1) {
      if (const auto named = class_of_letter(static_cast<unsigned char>(rest_[1]))) {
        rest_.remove_prefix(2);
        ranges.insert(ranges.end(), named->begin(), named->end());
        return true;
      }
    }
    const auto first = class_character();
    if (!first) return false;
    Range range{*first, *first};
    if (next_is("-") && !next_is("-]")) {
      take("-");
      const auto last = class_character();
      if (!last || *last < *first) return false;
      range.second = *last;
    }
    ranges.push_back(range);
    return true;
  }

  std::optional<char32_t> class_character() {
    if (rest_.empty()) return std::nullopt;
    if (take("\\")) return escaped_character();
    return take_character(rest_);
  }

  std::string_view rest_;
  Flags flags_;
};

// Appends what `tree` means; false if it becomes too long. `steps` bounds what repeats nothing, too.
bool emit(const Node& tree, std::vector<Instruction>& program, std::size_t& steps) {
  if (++steps > kStepsMax || program.size() > kProgramMax) return false;
  const auto fork = [&] {
    program.push_back({.kind = Instruction::Kind::fork, .next = program.size() + 1});
    return program.size() - 1;
  };
  switch (tree.kind) {
    case Node::Kind::characters:
      program.push_back({.kind = Instruction::Kind::characters, .ranges = tree.ranges});
      return true;
    case Node::Kind::assertion:
      program.push_back({.kind = Instruction::Kind::assertion, .assertion = tree.assertion});
      return true;
    case Node::Kind::sequence:
      return std::ranges::all_of(tree.parts,
                                 [&](const NodePointer& part) { return emit(*part, program, steps); });
    case Node::Kind::alternation: {
      std::vector<std::size_t> ends;
      for (std::size_t part = 0; part + 1 < tree.parts.size(); ++part) {
        const std::size_t choice = fork();
        if (!emit(*tree.parts[part], program, steps)) return false;
        ends.push_back(program.size());
        program.push_back({.kind = Instruction::Kind::jump});
        program[choice].other = program.size();
      }
      if (!emit(*tree.parts.back(), program, steps)) return false;
      for (const std::size_t end : ends) program[end].next = program.size();
      return true;
    }
    case Node::Kind::repetition: {
      const Node& part = *tree.parts.front();
      for (int time = 0; time < tree.least; ++time) {
        if (!emit(part, program, steps)) return false;
      }
      std::vector<std::size_t> choices;
      if (tree.most < 0) {
        choices.push_back(fork());
        if (!emit(part, program, steps)) return false;
        program.push_back({.kind = Instruction::Kind::jump, .next = choices.front()});
      }
      for (int time = tree.least; time < tree.most; ++time) {
        choices.push_back(fork());
        if (!emit(part, program, steps)) return false;
      }
      for (const std::size_t choice : choices) program[choice].other = program.size();
      return true;
    }
  }
  return false;
}

// Where the program may stand, each place once.
class Places {
 public:
  explicit Places(std::size_t size) : known_(size) {}

  // What lies around a place between two characters.
  struct Around {
    std::optional<char32_t> before;
    std::optional<char32_t> behind;
  };

  void reach(const std::vector<Instruction>& program, std::size_t start, const Around& around) {
    ways_.push_back(start);
    while (!ways_.empty()) {
      const std::size_t at = ways_.back();
      ways_.pop_back();
      if (known_[at]) continue;
      known_[at] = true;
      places_.push_back(at);
      const Instruction& here = program[at];
      if (here.kind == Instruction::Kind::jump || here.kind == Instruction::Kind::fork) {
        ways_.push_back(here.next);
        if (here.kind == Instruction::Kind::fork) ways_.push_back(here.other);
      } else if (here.kind == Instruction::Kind::assertion && holds(here.assertion, around)) {
        ways_.push_back(at + 1);
      }
    }
  }
  void clear() {
    for (const std::size_t at : places_) known_[at] = false;
    places_.clear();
  }
  const std::vector<std::size_t>& all() const { return places_; }

 private:
  static bool holds(Assertion what, const Around& around) {
    const bool edge =
        (around.before && is_word(*around.before)) != (around.behind && is_word(*around.behind));
    switch (what) {
      case Assertion::text_begin:
        return !around.before;
      case Assertion::text_end:
        return !around.behind;
      case Assertion::line_begin:
        return !around.before || *around.before == '\n';
      case Assertion::line_end:
        return !around.behind || *around.behind == '\n';
      case Assertion::word_edge:
        return edge;
      case Assertion::no_word_edge:
        return !edge;
    }
    return false;
  }

  std::vector<bool> known_;
  std::vector<std::size_t> places_;
  std::vector<std::size_t> ways_;
};

bool contains(const Ranges& ranges, char32_t character) {
  const auto above = std::ranges::upper_bound(ranges, character, {}, &Range::first);
  return above != ranges.begin() && std::prev(above)->second >= character;
}

}  // namespace

Result<RegularExpression> RegularExpression::compile(std::string_view text) {
  const NodePointer tree = Parser(text).parse();
  if (tree == nullptr) return fail(Errc::malformed, "not a regular expression: " + std::string(text));
  RegularExpression made;
  std::size_t steps = 0;
  if (!emit(*tree, made.program_, steps)) return fail(Errc::too_large, "the regular expression is too large");
  made.program_.emplace_back();
  return made;
}

bool RegularExpression::matches(std::string_view text) const {
  const auto peek = [](std::string_view rest) {
    return rest.empty() ? std::optional<char32_t>() : std::optional(take_character(rest));
  };
  Places now(program_.size());
  Places later(program_.size());
  now.reach(program_, 0, {std::nullopt, peek(text)});
  while (!text.empty() && !now.all().empty()) {
    const char32_t character = take_character(text);
    const Places::Around around{character, peek(text)};
    for (const std::size_t at : now.all()) {
      const Instruction& here = program_[at];
      if (here.kind == Instruction::Kind::characters && contains(here.ranges, character)) {
        later.reach(program_, at + 1, around);
      }
    }
    std::swap(now, later);
    later.clear();
  }
  return text.empty() && std::ranges::find(now.all(), program_.size() - 1) != now.all().end();
}

}  // namespace tailwater
