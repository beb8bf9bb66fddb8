// Goal: no flush is believed as long as another may have its error. Method: flushes begin and end in orders that
// tell the cases apart.
#include "shell/disk/flush_order.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailwater::shell {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(FlushOrder, OneAfterTheOtherWaitsForNone) {
  FlushOrder order;
  for (std::uint64_t number = 1; number < 4; ++number) {
    order.begin(number);
    EXPECT_THAT(order.take_settled(), IsEmpty());
    order.end(number);
    EXPECT_THAT(order.take_settled(), ElementsAre(number));
  }
  EXPECT_TRUE(order.empty());
}

TEST(FlushOrder, TwoThatOverlapSettleTogetherWhoeverEndsFirst) {
  for (const std::uint64_t first : {7U, 8U}) {
    FlushOrder order;
    order.begin(7);
    order.begin(8);
    order.end(first);
    EXPECT_THAT(order.take_settled(), IsEmpty());
    order.end(15 - first);
    EXPECT_THAT(order.take_settled(), ElementsAre(7, 8));
  }
}

TEST(FlushOrder, OneThatBeginsAfterTheEndIsNotWaitedFor) {
  FlushOrder order;
  order.begin(1);
  order.begin(2);
  order.end(1);
  order.begin(3);
  order.end(2);
  EXPECT_THAT(order.take_settled(), ElementsAre(1)) << "3 may have the error of 2, but not of 1";
  order.begin(4);
  order.end(3);
  EXPECT_THAT(order.take_settled(), ElementsAre(2));
  order.end(4);
  EXPECT_THAT(order.take_settled(), ElementsAre(3, 4));
}

}  // namespace
}  // namespace tailwater::shell
