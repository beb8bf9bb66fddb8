// Goal: whole ids match in RE2's syntax, what is no expression is refused, and neither an id nor an
// expression takes long. Method: tables of small cases; then expressions that are slow or large elsewhere.
#include "core/txn/id_pattern.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tailwater::txn {
namespace {

bool matches(std::string_view expression, std::string_view id) {
  const auto compiled = IdPattern::compile(expression);
  EXPECT_TRUE(compiled.has_value()) << expression;
  return compiled && compiled->matches(id);
}

struct Case {
  std::string_view expression;
  std::string_view id;
  bool matches;
};

TEST(IdPattern, matches_whole_ids) {
  const Case cases[] = {
      {"", "", true},
      {"", "a", false},
      {"abc", "abc", true},
      {"abc", "abcd", false},
      {"abc", "xabc", false},
      {"a|bc|", "bc", true},
      {"a|bc|", "", true},
      {"a|bc|", "b", false},
      {"orders-.*", "orders-", true},
      {"orders-.*", "orders-17", true},
      {"orders-.*", "order-17", false},
      {".*", "a\nb", false},
      {"(?s).*", "a\nb", true},
      {"a+b?", "aaab", true},
      {"a+b?", "b", false},
      {"a*?b", "aab", true},
      {"(ab)*c", "ababc", true},
      {"(?:ab){2}", "abab", true},
      {"(?:ab){2}", "ab", false},
      {"a{2,}", "aaaa", true},
      {"a{2,3}", "aaaa", false},
      {"a{0}", "", true},
      {"a{,2}", "a{,2}", true},
      {"a{", "a{", true},
      {"(?P<name>a)(?P<other>b)", "ab", true},
      {"((a*)*)*", "aaa", true},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(matches(each.expression, each.id), each.matches) << each.expression << " on " << each.id;
  }
}

TEST(IdPattern, knows_classes_and_escapes) {
  const Case cases[] = {
      {"[a-cx]", "b", true},
      {"[a-cx]", "d", false},
      {"[^a-c]", "d", true},
      {"[^a-c]", "a", false},
      {"[]a]", "]", true},
      {"[^]a]", "]", false},
      {"[a-]+", "a-", true},
      {"[[:alpha:]_]+", "aZ_", true},
      {"[[:^digit:]]", "7", false},
      {R"([\d.]+)", "1.2", true},
      {R"(\d+\D\s\S\w\W)", "12x y_-", true},
      {R"(a\.b)", "a.b", true},
      {R"(a\.b)", "axb", false},
      {R"(\x41\x{263A}\101\t)", "A\u263AA\t", true},
      {R"(\Qa.b*\E+)", "a.b*+", false},
      {R"(\Qa.b*\E+)", "a.b***", true},
      {R"(\Qa.b*\E)", "a.b*", true},
      {R"(^\Aab$\z)", "ab", true},
      {R"(a^b)", "ab", false},
      {R"((?m)a$\n^b)", "a\nb", true},
      {R"(\bab\b)", "ab", true},
      {R"(a\bb)", "ab", false},
      {R"(a\Bb)", "ab", true},
      {"(?i)aBc[x-z]", "AbCY", true},
      {"a(?i:b)c", "aBc", true},
      {"a(?i:b)c", "aBC", false},
      {"(?i)a(?-i)b", "AB", false},
      {"(?i)[^a]", "A", false},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(matches(each.expression, each.id), each.matches) << each.expression << " on " << each.id;
  }
}

TEST(IdPattern, reads_characters_not_bytes) {
  EXPECT_TRUE(matches("gr.n", "gr\u00FCn"));
  EXPECT_TRUE(matches("[\u00E4-\u00FC]{2}", "\u00F6\u00FC"));
  EXPECT_TRUE(matches(".", "\U0001F600"));
  EXPECT_TRUE(matches(R"(\pL+\p{Nd})", "gr\u00FCn7"));
  EXPECT_TRUE(matches("(?i)GR\u00DCN", "gr\u00FCn"));
  // What is no character is only met where bytes are asked for.
  EXPECT_FALSE(matches(".*", "a\xC3"));
  EXPECT_TRUE(matches(R"(a\C)", "a\xC3"));
}

TEST(IdPattern, refuses_what_is_none) {
  for (const std::string_view expression :
       {"(",           ")",    "a)",         "(a",      "[",       "[a",     "[]",  "[b-a]",
        "*",           "a|*",  "a**",        "a{3}{2}", "a{1001}", "a{3,2}", "\\",  "\\y",
        "(?x)a",       "(?",   "(?P<>a)",    "(?P<n",   "(?=a)",   "\\8",    "\\1", "\\x4",
        "\\x{110000}", "\\pX", "[[:none:]]", "\xC3",    "[\\"}) {
    EXPECT_FALSE(IdPattern::compile(expression).has_value()) << expression;
  }
}

TEST(IdPattern, takes_neither_long_nor_deep) {
  constexpr std::size_t kLengthMax = 4096;
  EXPECT_FALSE(IdPattern::compile(std::string(kLengthMax, '(')).has_value());
  const std::string open(kLengthMax / 2, '(');
  const std::string close(kLengthMax / 2, ')');
  EXPECT_FALSE(IdPattern::compile(open + close.substr(1)).has_value());
  EXPECT_FALSE(IdPattern::compile("((a{1000}){1000}){1000}").has_value());
  EXPECT_FALSE(IdPattern::compile("((((){1000}){1000}){1000}){1000}").has_value());
  for (const std::string_view part : {"a{1000}b{1000}", R"(\pL)", "[^a]{1000}"}) {
    std::string dear;
    while (dear.size() + part.size() <= kLengthMax) dear += part;
    EXPECT_FALSE(IdPattern::compile(dear).has_value()) << part;
  }
  const std::string longest(kLengthMax, 'a');
  EXPECT_TRUE(matches(longest, longest));
  EXPECT_FALSE(IdPattern::compile(longest + 'a').has_value());
  const std::string id(32'767, 'a');
  EXPECT_TRUE(matches("(a|a)*(a*)*a", id));
  EXPECT_FALSE(matches("(a|a)*(a*)*b", id));
  std::string many;
  for (int each = 0; each < 25; ++each) many += "a?";
  EXPECT_TRUE(matches(many + std::string(25, 'a'), std::string(25, 'a')));
}

}  // namespace
}  // namespace tailwater::txn
