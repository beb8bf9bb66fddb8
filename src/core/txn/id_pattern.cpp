#include "core/txn/id_pattern.hpp"

namespace tailwater::txn {

namespace {

// Before RE2 knows how large an expression becomes it may take 10 KiB and 25 microseconds for each byte
// (\pL).
constexpr std::size_t kLengthMax = 4096;
// Of the compiled expression and of what it remembers while it reads ids.
constexpr std::int64_t kMemoryMax = 1 << 20;

}  // namespace

Result<IdPattern> IdPattern::compile(std::string_view text) {
  if (text.size() > kLengthMax) return fail(Errc::too_large, "the regular expression is too long");
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(kMemoryMax);
  auto expression = std::make_unique<const re2::RE2>(text, options);
  if (!expression->ok()) return fail(Errc::malformed, expression->error());
  return IdPattern(std::move(expression));
}

bool IdPattern::matches(std::string_view id) const {
  return re2::RE2::FullMatch(id, *expression_);
}

}  // namespace tailwater::txn
