#include "apps/cli/pattern.hpp"

#include <fmt/format.h>

#include <array>

namespace tailwater::apps::cli {

void Pattern::Freer::operator()(regex_t* compiled) const {
  ::regfree(compiled);
  delete compiled;
}

Result<Pattern> Pattern::make(const std::string& expression, std::string_view option) {
  auto raw = std::make_unique<regex_t>();
  const int outcome = ::regcomp(raw.get(), expression.c_str(), REG_EXTENDED);
  if (outcome != 0) {
    std::array<char, 256> reason{};
    ::regerror(outcome, raw.get(), reason.data(), reason.size());
    return fail(Errc::invalid_argument,
                fmt::format("{}: '{}' is no regular expression: {}", option, expression, reason.data()));
  }
  return Pattern(std::unique_ptr<regex_t, Freer>(raw.release()));
}

bool Pattern::found_in(std::string_view bytes) const {
  regmatch_t range{};
  range.rm_so = 0;
  range.rm_eo = static_cast<regoff_t>(bytes.size());
  const char* begin = bytes.data() == nullptr ? "" : bytes.data();
  return ::regexec(compiled_.get(), begin, 1, &range, REG_STARTEND) == 0;
}

}  // namespace tailwater::apps::cli
