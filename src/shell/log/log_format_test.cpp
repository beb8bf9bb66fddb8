// Goal: the text of a log line is stable and always one line. Method: golden lines, hostile values, dates
// around leap days and 1970.
#include <gtest/gtest.h>

#include "shell/log/log.hpp"

namespace tailwater::shell {
namespace {

TEST(LogFormat, TextLine) {
  const LogEvent event{
      1'786'000'000'123'456, LogSeverity::info, "broker", "ready", {{"shards", "2"}, {"took", "12 ms"}}};
  EXPECT_EQ(format_log_line(event, LogFormat::text),
            "2026-08-06T07:06:40.123Z INFO  broker ready shards=2 took=\"12 ms\"\n");
}

TEST(LogFormat, JsonLine) {
  const LogEvent event{0, LogSeverity::warning, "net", "say \"hi\"", {{"path", "a\\b"}}};
  EXPECT_EQ(format_log_line(event, LogFormat::json),
            "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warning\",\"component\":\"net\","
            "\"message\":\"say \\\"hi\\\"\",\"path\":\"a\\\\b\"}\n");
}

TEST(LogFormat, ControlCharactersCannotMakeASecondLine) {
  const LogEvent event{
      0, LogSeverity::error, "net", "a\nb\x1b[31m", {{"client", "x\r\nfake line"}, {"empty", ""}}};
  EXPECT_EQ(format_log_line(event, LogFormat::text),
            "1970-01-01T00:00:00.000Z ERROR net a\\nb\\u001b[31m client=\"x\\r\\nfake line\" empty=\"\"\n");
}

TEST(LogFormat, Dates) {
  const auto date = [](std::int64_t seconds) {
    return format_log_line({seconds * 1'000'000, LogSeverity::info, "x", "y", {}}, LogFormat::text)
        .substr(0, 20);
  };
  EXPECT_EQ(date(951'782'400), "2000-02-29T00:00:00.");
  EXPECT_EQ(date(951'868'800), "2000-03-01T00:00:00.");
  EXPECT_EQ(date(1'709'251'199), "2024-02-29T23:59:59.");
  EXPECT_EQ(date(4'107'542'400), "2100-03-01T00:00:00.");
  EXPECT_EQ(date(-1), "1969-12-31T23:59:59.");
}

TEST(LogFormat, SeverityNames) {
  EXPECT_EQ(parse_log_severity("WARN").value(), LogSeverity::warning);
  EXPECT_EQ(parse_log_severity("debug").value(), LogSeverity::debug);
  ASSERT_FALSE(parse_log_severity("loud").has_value());
  EXPECT_EQ(parse_log_severity("loud").error().message,
            "'loud' is no log level; allowed are debug, info, warning and error");
}

}  // namespace
}  // namespace tailwater::shell
