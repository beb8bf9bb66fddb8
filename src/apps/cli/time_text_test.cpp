// Goal: every way of writing a time or a duration means what the help says, and nothing else is taken for
// one. Method: known answers.
#include "apps/cli/time_text.hpp"

#include <gtest/gtest.h>

namespace tailwater::apps::cli {
namespace {

constexpr std::int64_t kNow = 1'767'225'600'000;     // 2026-01-01T00:00:00Z
constexpr std::int64_t kMoment = 1'772'359'200'250;  // 2026-03-01T10:00:00.250Z

std::int64_t moment(std::string_view text) {
  const auto taken = take_moment(text, kNow);
  return taken && text.empty() ? *taken : -1;
}

std::int64_t duration(std::string_view text) {
  const auto parsed = parse_duration(text);
  return parsed ? parsed->count() : -1;
}

TEST(TimeText, Durations) {
  EXPECT_EQ(duration("250ms"), 250);
  EXPECT_EQ(duration("10s"), 10'000);
  EXPECT_EQ(duration("1.5s"), 1'500);
  EXPECT_EQ(duration("1h30m"), 5'400'000);
  EXPECT_EQ(duration("2d"), 172'800'000);
  EXPECT_EQ(duration("0"), 0);
  for (const char* wrong : {"", "5", "s", "5x", "1h-", "-1s", "1h 2m", "5minutes", "99999999999999s"}) {
    EXPECT_EQ(duration(wrong), -1) << wrong;
  }
}

TEST(TimeText, Moments) {
  EXPECT_EQ(moment("1772359200250"), kMoment);
  EXPECT_EQ(moment("1772359200"), 1'772'359'200'000);
  EXPECT_EQ(moment("946684800"), 946'684'800'000);
  EXPECT_EQ(moment("2026-01-01"), kNow);
  EXPECT_EQ(moment("2026-03-01T10:00:00.25Z"), kMoment);
  EXPECT_EQ(moment("2026-03-01T12:00:00.250+02:00"), kMoment);
  EXPECT_EQ(moment("2026-03-01T05:30:00.250-04:30"), kMoment);
  EXPECT_EQ(moment("-1h"), kNow - 3'600'000);
  for (const char* wrong :
       {"", "12345", "2026-13-01", "2026-02-30", "2026-03-01T10:00:00", "2026-03-01T10:00Z",
        "2026-03-01T25:00:00Z", "2026-03-01T10:00:00.Z", "yesterday", "-", "1h"}) {
    EXPECT_EQ(moment(wrong), -1) << wrong;
  }
}

TEST(TimeText, AMomentLeavesWhatFollows) {
  std::string_view text = "2026-01-01:end";
  EXPECT_EQ(take_moment(text, kNow), kNow);
  EXPECT_EQ(text, ":end");
}

TEST(TimeText, Printing) {
  EXPECT_EQ(rfc3339_text(kMoment), "2026-03-01T10:00:00.250Z");
  EXPECT_EQ(rfc3339_text(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(strftime_text("%F %T.%f 100%%", kMoment), "2026-03-01 10:00:00.250 100%");
  EXPECT_EQ(strftime_text("", kMoment), "");
  EXPECT_EQ(go_time_text("2006-01-02T15:04:05.000Z07:00", kMoment), "2026-03-01T10:00:00.250Z");
  EXPECT_EQ(go_time_text("Mon Jan _2 03:04 PM 06 %", kMoment), "Sun Mar  1 10:00 AM 26 %");
  EXPECT_EQ(duration_text(std::chrono::milliseconds(12)), "12 ms");
  EXPECT_EQ(duration_text(std::chrono::milliseconds(1'250)), "1.2 s");
  EXPECT_EQ(duration_text(std::chrono::milliseconds(61'000)), "1 min 1 s");
}

}  // namespace
}  // namespace tailwater::apps::cli
