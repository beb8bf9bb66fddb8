// Which transactional ids a client asks for: a regular expression in RE2's syntax, which the whole id has to
// match, as in Kafka (KIP-1152). GUARANTEES: what a client sends decides neither over memory nor over time:
// both are bounded by its length, which is limited, and an id is read in linear time.
#pragma once

#include <re2/re2.h>

#include <memory>
#include <string_view>

#include "base/result.hpp"

namespace tailwater::txn {

class IdPattern {
 public:
  static Result<IdPattern> compile(std::string_view text);

  bool matches(std::string_view id) const;

 private:
  explicit IdPattern(std::unique_ptr<const re2::RE2> expression) : expression_(std::move(expression)) {}

  std::unique_ptr<const re2::RE2> expression_;  // which cannot be moved itself
};

}  // namespace tailwater::txn
