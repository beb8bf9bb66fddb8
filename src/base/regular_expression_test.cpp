// Goal: whole texts match as RE2 matches them, what is no expression is refused, and neither a text nor an
// expression takes long. Method: tables of small cases; then expressions that are slow elsewhere.
#include "base/regular_expression.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tailwater {
namespace {

bool matches(std::string_view expression, std::string_view text) {
  const auto compiled = RegularExpression::compile(expression);
  EXPECT_TRUE(compiled.has_value()) << expression;
  return compiled && compiled->matches(text);
}

struct Case {
  std::string_view expression;
  std::string_view text;
  bool matches;
};

TEST(RegularExpression, matches_whole_texts) {
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
      {"(?P<name>a)(?<other>b)", "ab", true},
      {"((a*)*)*", "aaa", true},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(matches(each.expression, each.text), each.matches) << each.expression << " on " << each.text;
  }
}

TEST(RegularExpression, knows_classes_and_escapes) {
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
    EXPECT_EQ(matches(each.expression, each.text), each.matches) << each.expression << " on " << each.text;
  }
}

TEST(RegularExpression, reads_characters_not_bytes) {
  EXPECT_TRUE(matches("gr.n", "gr\u00FCn"));
  EXPECT_TRUE(matches("[\u00E4-\u00FC]{2}", "\u00F6\u00FC"));
  EXPECT_TRUE(matches(".", "\U0001F600"));
  EXPECT_FALSE(matches(".",
                       "\xC3"
                       "a"));
  EXPECT_TRUE(matches("..",
                      "\xC3"
                      "a"));
  EXPECT_TRUE(matches("..", "\xE2\x82"));
}

TEST(RegularExpression, refuses_what_is_none) {
  for (const std::string_view expression :
       {"(",           ")",    "a)",       "(a",         "[",       "[a",     "[]",  "[b-a]",
        "*",           "a|*",  "a**",      "a{3}{2}",    "a{1001}", "a{3,2}", "\\",  "\\y",
        "(?x)a",       "(?",   "(?P<>a)",  "(?P<n",      "(?=a)",   "\\8",    "\\1", "\\x4",
        "\\x{110000}", "\\pL", "[[:word]", "[[:none:]]", "[\\"}) {
    EXPECT_FALSE(RegularExpression::compile(expression).has_value()) << expression;
  }
}

TEST(RegularExpression, takes_neither_long_nor_deep) {
  EXPECT_FALSE(RegularExpression::compile(std::string(100'000, '(')).has_value());
  EXPECT_FALSE(RegularExpression::compile("((a{1000}){1000}){1000}").has_value());
  EXPECT_FALSE(RegularExpression::compile("((((){1000}){1000}){1000}){1000}").has_value());
  const std::string text(20'000, 'a');
  EXPECT_TRUE(matches("(a|a)*(a*)*a", text));
  EXPECT_FALSE(matches("(a|a)*(a*)*b", text));
  std::string many;
  for (int each = 0; each < 25; ++each) many += "a?";
  EXPECT_TRUE(matches(many + std::string(25, 'a'), std::string(25, 'a')));
}

}  // namespace
}  // namespace tailwater
