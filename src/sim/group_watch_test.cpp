// Goal: what a group must not do is found out. Method: what members would tell, by hand.
#include "sim/group_watch.hpp"

#include <gtest/gtest.h>

namespace tailwater::sim {
namespace {

class GroupWatchTest : public testing::Test {
 protected:
  Ledger ledger;
  GroupWatch watch{ledger};
};

TEST_F(GroupWatchTest, one_owner_in_each_generation) {
  watch.given(1, 0, "a");
  watch.given(1, 0, "a");
  watch.given(2, 0, "b");
  EXPECT_EQ(ledger.failure(), "");
  watch.given(2, 0, "a");
  EXPECT_TRUE(ledger.failure().starts_with("I14")) << ledger.failure();
}

TEST_F(GroupWatchTest, generations_do_not_go_back) {
  watch.synced(3);
  watch.joined(watch.generation_floor(), 3);
  EXPECT_EQ(ledger.failure(), "");
  watch.joined(watch.generation_floor(), 2);
  EXPECT_TRUE(ledger.failure().starts_with("I14")) << ledger.failure();
}

TEST_F(GroupWatchTest, committed_offsets_do_not_go_back) {
  watch.committed(0, 7);
  watch.fetched(0, watch.floor(0), 8);
  EXPECT_EQ(ledger.failure(), "");
  watch.fetched(0, watch.floor(0), 6);
  EXPECT_TRUE(ledger.failure().starts_with("I13")) << ledger.failure();
}

TEST_F(GroupWatchTest, a_generation_that_is_over_does_not_commit) {
  const std::int32_t before = watch.generation_floor();
  watch.synced(3);
  watch.commit_accepted(before, 2);
  watch.commit_accepted(watch.generation_floor(), 3);
  EXPECT_EQ(ledger.failure(), "");
  watch.commit_accepted(watch.generation_floor(), 2);
  EXPECT_TRUE(ledger.failure().starts_with("I10")) << ledger.failure();
}

}  // namespace
}  // namespace tailwater::sim
