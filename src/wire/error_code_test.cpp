// Goal: the table of error codes is whole and looking up is total. Method: all 65536 codes, and samples of
// the contents.
#include "wire/error_code.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace tailwater::wire {
namespace {

TEST(error_code, every_number_has_an_entry) {
  for (int number = INT16_MIN; number <= INT16_MAX; ++number) {
    const auto code = static_cast<ErrorCode>(number);
    const bool known = number >= -1 && number <= 136;
    EXPECT_EQ(describe(code).code, known ? code : ErrorCode::unknown_server_error);
  }
  EXPECT_EQ(error_codes().size(), 138U);
}

TEST(error_code, names_are_kafkas) {
  EXPECT_EQ(name(ErrorCode::none), "NONE");
  EXPECT_EQ(name(ErrorCode::not_leader_or_follower), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(static_cast<int>(ErrorCode::rebootstrap_required), 129);
  std::set<std::string_view> names;
  for (const ErrorCodeInfo& info : error_codes()) names.insert(info.name);
  EXPECT_EQ(names.size(), error_codes().size());
}

TEST(error_code, messages_are_sentences) {
  for (const ErrorCodeInfo& info : error_codes()) {
    EXPECT_TRUE(info.message.ends_with('.')) << info.name;
    EXPECT_GT(info.message.size(), 8U) << info.name;
  }
}

TEST(error_code, knows_what_may_be_tried_again) {
  EXPECT_TRUE(retriable(ErrorCode::coordinator_load_in_progress));
  EXPECT_TRUE(describe(ErrorCode::not_leader_or_follower).refresh_metadata);
  EXPECT_FALSE(retriable(ErrorCode::topic_authorization_failed));
  EXPECT_FALSE(retriable(static_cast<ErrorCode>(999)));
}

}  // namespace
}  // namespace tailwater::wire
