// Regular expressions as Kafka's brokers take them from clients (the syntax of RE2): whether a whole text
// matches. GUARANTEES: time is bounded by the text's length times the expression's size, which is bounded,
// too; nothing that a client sends makes it recurse or grow without end. Texts are UTF-8, read character by
// character; what is no UTF-8 counts byte by byte. Not taken: classes by Unicode property (\p). Case is
// folded (?i) for the letters of ASCII only.
//
//   alternation  = sequence { "|" sequence }
//   sequence     = { item [ "*" | "+" | "?" | "{n}" | "{n,}" | "{n,m}" ] [ "?" ] }
//   item         = character | "." | "[" class "]" | escape | "^" | "$" | "(" [ "?:" | "?P<name>" ]
//   alternation
//   ")"
//                | "(?" flags ")" | "(?" flags ":" alternation ")"         flags: i m s U, "-" turns off
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace tailwater {

class RegularExpression {
 public:
  static Result<RegularExpression> compile(std::string_view text);

  bool matches(std::string_view text) const;

  using Range = std::pair<char32_t, char32_t>;
  struct Instruction {
    enum class Kind : std::uint8_t { characters, fork, jump, assertion, match };
    enum class Assertion : std::uint8_t {
      text_begin,
      text_end,
      line_begin,
      line_end,
      word_edge,
      no_word_edge
    };
    Kind kind = Kind::match;
    Assertion assertion{};
    std::vector<Range> ranges{};  // of characters: sorted, not overlapping
    std::size_t next = 0;         // of fork and jump
    std::size_t other = 0;        // of fork
  };

 private:
  std::vector<Instruction> program_;
};

}  // namespace tailwater
