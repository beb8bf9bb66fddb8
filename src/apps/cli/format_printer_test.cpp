// Goal: every verb and modifier prints what the format's description says; wrong formats are refused with the
// place and the reason.
// Method: one record with everything in it, a table of formats.
#include "apps/cli/format_printer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailwater::apps::cli {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

RecordView everything() {
  RecordView record;
  record.topic = "orders";
  record.partition = 3;
  record.offset = 258;
  record.timestamp = 1'772'359'200'250;
  record.key = "k1";
  record.value = "\x01\x02z";
  record.headers = {{"a", "x"}, {"b", std::nullopt}};
  record.log_start = 7;
  record.high_watermark = 300;
  return record;
}

std::string print(std::string_view format, const RecordView& record) {
  auto printer = FormatPrinter::make(format);
  if (!printer) return "refused: " + printer.error().message;
  std::string out;
  printer->append(out, record);
  return out;
}

TEST(FormatPrinter, VerbsAndModifiers) {
  const std::vector<std::pair<const char*, std::string>> cases = {
      {"%t %p %o %T", "orders 3 258 6"},
      {"%k=%v", "k1=\x01\x02z"},
      {"%s %S", "\x01\x02z 3"},
      {"%K %V %H", "2 3 2"},
      {"%h{%k:%v,}", "a:x,b:,"},
      {"%h{%K%k{hex}}", "161162"},
      {"%v{hex} %k{base64} %k{base64raw}", "01027a azE= azE"},
      {"%v{unpack[>hc]}", "258 z"},
      {"%v{unpack(>hc)}", "258 z"},
      {"%o{hex4} %o{hex8} %o{hex16} %o{hex64}", "2 02 0102 0000000000000102"},
      {"%o{big16}%o{little32}%p{byte}", "\x01\x02\x02\x01\x00\x00\x03"s},
      {"%p{bool} %o{ascii}", "true 258"},
      {"%d", "1772359200250"},
      {"%d{rfc3339} %d{strftime[%F {%H}]} %d{go[15:04]}", "2026-03-01T10:00:00.250Z 2026-03-01 {10} 10:00"},
      {"%d{strftime[[%H]]}", "10"},
      {"%[ %]", "7 300"},
      {"%a{timestamp-type}", "CreateTime"},
      {"%% %{ %} \\t\\n\\r\\\\\\x41\\0", "% { } \t\n\r\\A\0"s},
      {"plain", "plain"},
      {"", ""},
  };
  for (const auto& [format, expected] : cases) {
    EXPECT_EQ(print(format, everything()), expected) << format;
  }
}

TEST(FormatPrinter, TimestampsInBinaryForms) {
  RecordView record = everything();
  record.timestamp = 0x0102030405060708;
  EXPECT_EQ(print("%d{big64}", record), "\x01\x02\x03\x04\x05\x06\x07\x08");
  EXPECT_EQ(print("%d{little16}", record), "\x08\x07");
}

TEST(FormatPrinter, NullPrintsNothingAndHasSizeMinusOne) {
  RecordView record = everything();
  record.key.reset();
  record.value = "";
  EXPECT_EQ(print("[%k][%v] %K %V %K{hex16}", record), "[][] -1 0 ffff");
}

TEST(FormatPrinter, CountsRecords) {
  auto printer = FormatPrinter::make("%i;");
  ASSERT_TRUE(printer);
  std::string out;
  for (int index = 0; index < 3; ++index) printer->append(out, everything());
  EXPECT_EQ(out, "1;2;3;");
}

TEST(FormatPrinter, WrongFormatsSayWhereAndWhy) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"%", "a % at the end"},
      {"%q", "there is no %q"},
      {"%|", "not known to this client"},
      {"%e", "not known to this client"},
      {"%x %y", "not known to this client"},
      {"%a", "timestamp-type"},
      {"%a{compression}", "timestamp-type"},
      {"%v{hex", "not closed"},
      {"%h{%k", "not closed"},
      {"%h", "needs {...}"},
      {"%h{%p}", "no place within"},
      {"%k{json}", "no form of %k"},
      {"%k{big8}", "no form of %k"},
      {"%o{hex}", "no form of %o"},
      {"%o{12}", "no form of %o"},
      {"%d{strftime}", "no form of %d"},
      {"%v{unpack[z]}", "unpack knows"},
      {"\\q", "after a backslash"},
      {"\\x4", "after a backslash"},
  };
  for (const auto& [format, reason] : cases) {
    const auto printer = FormatPrinter::make(format);
    ASSERT_FALSE(printer) << format;
    EXPECT_EQ(printer.error().code, Errc::invalid_argument);
    EXPECT_THAT(printer.error().message, HasSubstr(reason)) << format;
  }
}

}  // namespace
}  // namespace tailwater::apps::cli
