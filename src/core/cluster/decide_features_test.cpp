// Goal: features go up and down only as a user said that they may, all that are asked for or none; a new
// cluster begins with the highest levels. Method: one cluster, every answer of UpdateFeatures once.
#include <gtest/gtest.h>

#include "core/cluster/decide_test_support.hpp"

namespace tailwater::cluster {
namespace {

using wire::ErrorCode;

constexpr std::int8_t kUpgrade = 1;
constexpr std::int8_t kSafeDowngrade = 2;
constexpr std::int8_t kUnsafeDowngrade = 3;

wire::UpdateFeaturesRequest wish(const std::string& feature, std::int16_t level, std::int8_t type) {
  wire::UpdateFeaturesRequest request;
  auto& wanted = request.feature_updates.emplace_back();
  wanted.feature = feature;
  wanted.max_version_level = level;
  wanted.upgrade_type = type;
  return request;
}

ErrorCode update(Draft& draft, std::int16_t level, std::int8_t type,
                 const std::string& feature = "transaction.version") {
  const auto response = decide(draft, wish(feature, level, type));
  EXPECT_EQ(response.error_code == ErrorCode::none, response.results.size() == 1U);
  EXPECT_EQ(response.error_code == ErrorCode::none, !response.error_message);
  return response.error_code;
}

std::int16_t transactions(const Draft& draft) {
  return draft.image().feature("transaction.version");
}

TEST(Features, a_new_cluster_names_itself_and_its_features) {
  const Draft draft = draft_with(1);
  EXPECT_EQ(draft.image().cluster_id, "cluster");
  EXPECT_EQ(draft.image().feature("group.version"), 1);
  EXPECT_EQ(transactions(draft), 2);
}

TEST(Features, a_level_goes_down_and_up_again) {
  Draft draft = draft_with(1);
  EXPECT_EQ(update(draft, 1, kSafeDowngrade), ErrorCode::none);
  EXPECT_EQ(transactions(draft), 1);
  EXPECT_EQ(update(draft, 0, kUnsafeDowngrade), ErrorCode::none);
  EXPECT_EQ(transactions(draft), 0);
  EXPECT_EQ(update(draft, 2, kUpgrade), ErrorCode::none);
  EXPECT_EQ(transactions(draft), 2);
}

TEST(Features, a_level_that_is_there_already_changes_nothing) {
  Draft draft = draft_with(1);
  for (const std::int8_t type : {kUpgrade, kSafeDowngrade}) {
    EXPECT_EQ(update(draft, 2, type), ErrorCode::none);
  }
  EXPECT_FALSE(draft.has_frames());
}

TEST(Features, what_was_not_allowed_or_is_not_known_is_refused) {
  Draft draft = draft_with(1);
  EXPECT_EQ(update(draft, 1, kUpgrade), ErrorCode::invalid_update_version);
  EXPECT_EQ(update(draft, 3, kUpgrade), ErrorCode::invalid_update_version);
  EXPECT_EQ(update(draft, -1, kSafeDowngrade), ErrorCode::invalid_update_version);
  EXPECT_EQ(update(draft, 1, 0), ErrorCode::invalid_update_version);
  EXPECT_EQ(update(draft, 1, 4), ErrorCode::invalid_update_version);
  EXPECT_EQ(update(draft, 1, kUpgrade, "kraft.version"), ErrorCode::invalid_update_version);
  EXPECT_FALSE(draft.has_frames());
  EXPECT_EQ(update(draft, 1, kSafeDowngrade), ErrorCode::none);
  EXPECT_EQ(update(draft, 2, kSafeDowngrade), ErrorCode::invalid_update_version);
}

TEST(Features, the_oldest_request_allows_a_downgrade_with_a_flag) {
  Draft draft = draft_with(1);
  auto request = wish("transaction.version", 1, kUpgrade);
  request.feature_updates[0].allow_downgrade = true;
  EXPECT_EQ(decide(draft, request).error_code, ErrorCode::none);
  EXPECT_EQ(transactions(draft), 1);
}

TEST(Features, one_that_is_refused_keeps_back_all) {
  Draft draft = draft_with(1);
  auto request = wish("transaction.version", 1, kSafeDowngrade);
  request.feature_updates.push_back(wish("nonsense", 1, kUpgrade).feature_updates[0]);
  const auto response = decide(draft, request);
  EXPECT_EQ(response.error_code, ErrorCode::invalid_update_version);
  EXPECT_TRUE(response.results.empty());
  EXPECT_EQ(transactions(draft), 2);
}

TEST(Features, a_request_that_only_validates_changes_nothing) {
  Draft draft = draft_with(1);
  auto request = wish("transaction.version", 1, kSafeDowngrade);
  request.validate_only = true;
  EXPECT_EQ(decide(draft, request).error_code, ErrorCode::none);
  EXPECT_FALSE(draft.has_frames());
}

}  // namespace
}  // namespace tailwater::cluster
