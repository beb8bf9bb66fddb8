// Goal: the grammar of offset ranges, all of it and nothing more.
// Method: a table of texts and their meaning; texts that must be refused.
#include "apps/cli/offset_range.hpp"

#include <gtest/gtest.h>

namespace tailwater::apps::cli {
namespace {

using Kind = OffsetPoint::Kind;

constexpr std::int64_t kNow = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
constexpr std::int64_t kHour = 3'600'000;

struct Case {
  const char* text;
  OffsetRange range;
};

TEST(OffsetRange, EveryFormMeansWhatItSays) {
  const std::vector<Case> cases = {
      {"start", {{Kind::start}, {}}},
      {"end", {{Kind::end}, {}}},
      {":end", {{Kind::start}, OffsetPoint{Kind::end}}},
      {"+5", {{Kind::after_start, 5}, {}}},
      {"-5", {{Kind::before_end, 5}, {}}},
      {"7", {{Kind::exact, 7}, {}}},
      {"7:", {{Kind::exact, 7}, {}}},
      {":7", {{Kind::start}, OffsetPoint{Kind::exact, 7}}},
      {"7:9", {{Kind::exact, 7}, OffsetPoint{Kind::exact, 9}}},
      {"7:end", {{Kind::exact, 7}, OffsetPoint{Kind::end}}},
      {"@2026-01-01", {{Kind::time, kNow}, {}}},
      {"@2026-01-01:", {{Kind::time, kNow}, {}}},
      {"@:2026-01-01", {{Kind::start}, OffsetPoint{Kind::time, kNow}}},
      {"@-1h:-30m", {{Kind::time, kNow - kHour}, OffsetPoint{Kind::time, kNow - kHour / 2}}},
      {"@-2h:1h", {{Kind::time, kNow - 2 * kHour}, OffsetPoint{Kind::time, kNow - kHour}}},
      {"@-2h:end", {{Kind::time, kNow - 2 * kHour}, OffsetPoint{Kind::end}}},
      {"@2026-01-01T00:00:00Z:2026-01-01T01:00:00+00:00",
       {{Kind::time, kNow}, OffsetPoint{Kind::time, kNow + kHour}}},
      {"@1767225600:1767225600000", {{Kind::time, kNow}, OffsetPoint{Kind::time, kNow}}},
      {"s@1767225600000", {{Kind::time, kNow}, {}}},
      {"e@1767225600000", {{Kind::start}, OffsetPoint{Kind::time, kNow}}},
      {"beginning", {{Kind::start}, {}}},
      {"latest", {{Kind::end}, {}}},
  };
  for (const Case& each : cases) {
    const auto range = parse_offset_range(each.text, kNow);
    ASSERT_TRUE(range) << each.text << ": " << range.error().message;
    EXPECT_EQ(*range, each.range) << each.text;
  }
}

TEST(OffsetRange, WhatIsNoRangeIsRefusedAsWrongUsage) {
  for (const char* text : {"",
                           ":",
                           "x",
                           "1:x",
                           "x:1",
                           "+",
                           "-",
                           "+x",
                           "--5",
                           "9:7",
                           "@",
                           "@:",
                           "@x",
                           "@1h",
                           "@-1h:-2h",
                           "@2026-01-01T00:00:00",
                           "@2026-01-01x",
                           "@2026-01-01:2026-01-02:",
                           "1:2:3",
                           "1 2",
                           "@:1h",
                           "9999999999999999999"}) {
    const auto range = parse_offset_range(text, kNow);
    ASSERT_FALSE(range) << text;
    EXPECT_EQ(range.error().code, Errc::invalid_argument) << text;
  }
}

TEST(OffsetRange, TwoPartsMakeOneRange) {
  const auto both = parse_offset_ranges({"s@1767225600000", "e@1767225601000"}, kNow);
  ASSERT_TRUE(both);
  EXPECT_EQ(*both, (OffsetRange{{Kind::time, kNow}, OffsetPoint{Kind::time, kNow + 1000}}));
  EXPECT_FALSE(parse_offset_ranges({"1", "2"}, kNow));
  EXPECT_FALSE(parse_offset_ranges({":1", ":2"}, kNow));
  EXPECT_EQ(parse_offset_ranges({}, kNow), OffsetRange{});
}

TEST(OffsetRange, APointIsNoRange) {
  EXPECT_EQ(parse_offset_point("-3", kNow), (OffsetPoint{Kind::before_end, 3}));
  EXPECT_FALSE(parse_offset_point("1:2", kNow));
}

}  // namespace
}  // namespace tailwater::apps::cli
