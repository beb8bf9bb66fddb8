// Goal: records are taken apart by their format; input that does not fit is refused with the record's number
// and never misread; what the printer prints comes back whole. Method: small inputs, fed in chunks of every
// size, so that records are cut at every place.
#include "apps/cli/format_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/cli/format_printer.hpp"

namespace tailwater::apps::cli {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

ByteStream in_chunks(std::string_view text, std::size_t chunk) {
  return ByteStream([text, chunk](char* to, std::size_t size) mutable {
    const std::size_t count = text.copy(to, std::min(size, chunk));
    text.remove_prefix(count);
    return count;
  });
}

struct Outcome {
  std::vector<InputRecord> records;
  std::string error;
};

Outcome read_in(std::string_view format, std::string_view text, std::size_t chunk) {
  Outcome outcome;
  auto reader = FormatReader::make(format);
  if (!reader) return {{}, reader.error().message};
  ByteStream stream = in_chunks(text, chunk);
  for (;;) {
    InputRecord record;
    const auto more = reader->next(stream, record);
    if (!more) outcome.error = more.error().message;
    if (!more || !*more) return outcome;
    outcome.records.push_back(record);
  }
}

// The same in chunks of every size, which must make no difference.
Outcome read(std::string_view format, std::string_view text) {
  Outcome whole = read_in(format, text, std::max<std::size_t>(1, text.size()));
  for (std::size_t chunk = 1; chunk < text.size(); ++chunk) {
    const Outcome again = read_in(format, text, chunk);
    EXPECT_EQ(again.records, whole.records) << "chunks of " << chunk;
    EXPECT_EQ(again.error, whole.error) << "chunks of " << chunk;
  }
  return whole;
}

std::vector<std::string> values(const Outcome& outcome) {
  std::vector<std::string> all;
  for (const InputRecord& record : outcome.records) all.push_back(record.value.value_or("(null)"));
  return all;
}

TEST(FormatReader, LinesAreValues) {
  EXPECT_EQ(values(read("%v\\n", "one\n\nthree\n")), (std::vector<std::string>{"one", "", "three"}));
  EXPECT_EQ(values(read("%v\\n", "one\nlast")), (std::vector<std::string>{"one", "last"}));
  EXPECT_TRUE(read("%v\\n", "").records.empty());
}

TEST(FormatReader, KeysAndValuesOnALine) {
  const Outcome outcome = read("%k\\t%v\\n", "a\t1\nb\t2\t3\n");
  ASSERT_EQ(outcome.records.size(), 2U) << outcome.error;
  EXPECT_EQ(outcome.records[0].key, "a");
  EXPECT_EQ(outcome.records[1].key, "b");
  EXPECT_EQ(outcome.records[1].value, "2\t3");
}

TEST(FormatReader, ALineWithoutItsDelimiterDoesNotSwallowTheNext) {
  const Outcome outcome = read("%k\\t%v\\n", "a\t1\nbroken\nc\t3\n");
  EXPECT_EQ(outcome.records.size(), 1U);
  EXPECT_EQ(outcome.error, R"(record 2: there is no '\x09' behind %k)");
}

TEST(FormatReader, NumbersAndWhatIsOnlySkipped) {
  const Outcome outcome = read("%p %o %d %e %v\\n", "2 77 1700000000000 5 hi\n");
  ASSERT_EQ(outcome.records.size(), 1U) << outcome.error;
  EXPECT_EQ(outcome.records[0].partition, 2);
  EXPECT_EQ(outcome.records[0].timestamp, 1'700'000'000'000);
  EXPECT_EQ(outcome.records[0].value, "hi");
  EXPECT_THAT(read("%p %v\\n", "x hi\n").error, HasSubstr("record 1: %p: a number is expected"));
  EXPECT_THAT(read("%p %v\\n", "-3 hi\n").error, HasSubstr("there is no partition -3"));
}

TEST(FormatReader, SizesBeforeTheTexts) {
  EXPECT_EQ(values(read("%V{big16}%v", "\x00\x03"s + "abc" + "\x00\x00"s + "\xff\xff"s)),
            (std::vector<std::string>{"abc", "", "(null)"}));
  const Outcome outcome = read("%K{byte}%V{little32}%k%v", "\x01\x02\x00\x00\x00kvv"s);
  ASSERT_EQ(outcome.records.size(), 1U) << outcome.error;
  EXPECT_EQ(outcome.records[0].key, "k");
  EXPECT_EQ(outcome.records[0].value, "vv");
  EXPECT_EQ(values(read("%V{3}%v", "abcdef")), (std::vector<std::string>{"abc", "def"}));
  EXPECT_EQ(values(read("%V{hex8}:%v{hex}", "02:0a0b")), (std::vector<std::string>{"\x0a\x0b"}));
  EXPECT_THAT(read("%V{big16}%v", "\x00\x03"s + "ab").error, HasSubstr("record 1: the input ends"));
  EXPECT_THAT(read("%V{big32}%v", "\x7f\xff\xff\xff"s).error, HasSubstr("is said to have 2147483647 bytes"));
}

TEST(FormatReader, EncodedTexts) {
  EXPECT_EQ(values(read("%v{hex}\\n", "6869\n")), (std::vector<std::string>{"hi"}));
  EXPECT_EQ(values(read("%v{base64}\\n", "aGk=\n")), (std::vector<std::string>{"hi"}));
  EXPECT_THAT(read("%v{hex}\\n", "6g\n").error, HasSubstr("record 1: %v: '6g' is no hex"));
}

TEST(FormatReader, JsonTextsEndByThemselves) {
  const Outcome outcome = read("%k %v{json}\\n", "a {\"x\": \"}\\\"\",\n \"y\": [1]}\nb 7\n");
  ASSERT_EQ(outcome.records.size(), 2U) << outcome.error;
  EXPECT_EQ(outcome.records[0].value, "{\"x\": \"}\\\"\",\n \"y\": [1]}");
  EXPECT_EQ(outcome.records[1].value, "7");
  EXPECT_THAT(read("%v{json}\\n", "{\"x\":").error, HasSubstr("ends within a JSON value"));
}

TEST(FormatReader, Headers) {
  const Outcome outcome = read("%H %h{%k=%v,}%v\\n", "2 a=1,b=2,value\n0 none\n");
  ASSERT_EQ(outcome.records.size(), 2U) << outcome.error;
  EXPECT_EQ(outcome.records[0].headers, (std::vector<InputRecord::Header>{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(outcome.records[0].value, "value");
  EXPECT_TRUE(outcome.records[1].headers.empty());
}

TEST(FormatReader, TheWholeInputIsOneRecordWithoutADelimiter) {
  EXPECT_EQ(values(read("%v", "all\nof it\n")), (std::vector<std::string>{"all\nof it\n"}));
}

TEST(FormatReader, FormatsThatCannotBeReadAreRefused) {
  for (const char* format : {"%k%v\\n", "%h{%k=%v}%v\\n", "%H %h{%k%v}\\n", "", "%v{unpack[b]}\\n",
                             "%d{rfc3339}%v\\n", "%a{timestamp-type}%v\\n"}) {
    EXPECT_FALSE(FormatReader::make(format)) << format;
  }
}

TEST(FormatReader, ReadsWhatThePrinterPrints) {
  const std::string binary = "\x00\n\t\xff,="s;
  RecordView record;
  record.topic = "t";
  record.partition = 1;
  record.offset = 9;
  record.timestamp = 1'700'000'000'000;
  for (const char* format :
       {"%p %d %K{big32}%V{big32}%H{big16}%k%v%h{%K{big32}%V{big32}%k%v}",
        "%p %d %K %V %H %k{hex} %v{base64} %h{%K %V %k{base64raw} %v{hex}}\\n",
        "%p{hex8}%d{hex64}%K{hex32}%V{hex32}%H{hex8}%k%v%h{%K{little16}%V{little64}%k%v}",
        "%t %o %p %d %K %V %H %k %v %h{%K %V %k %v }\\n"}) {
    for (const auto& [key, value] :
         std::vector<std::pair<std::optional<std::string_view>, std::optional<std::string_view>>>{
             {"key", "value"}, {binary, binary}, {"", ""}, {std::nullopt, "v"}, {"k", std::nullopt}}) {
      record.key = key;
      record.value = value;
      record.headers = {{"h", value}, {"i", std::nullopt}};
      auto printer = FormatPrinter::make(format);
      ASSERT_TRUE(printer) << format << printer.error().message;
      std::string text;
      printer->append(text, record);
      printer->append(text, record);
      const Outcome outcome = read(format, text);
      ASSERT_EQ(outcome.records.size(), 2U) << format << ": " << outcome.error;
      const InputRecord& back = outcome.records[1];
      EXPECT_EQ(back.partition, 1);
      EXPECT_EQ(back.timestamp, record.timestamp);
      EXPECT_EQ(back.key.has_value(), key.has_value()) << format;
      EXPECT_EQ(back.key.value_or(""), key.value_or("")) << format;
      EXPECT_EQ(back.value.has_value(), value.has_value()) << format;
      EXPECT_EQ(back.value.value_or(""), value.value_or("")) << format;
      ASSERT_EQ(back.headers.size(), 2U);
      EXPECT_EQ(back.headers[0].value.has_value(), value.has_value());
      EXPECT_FALSE(back.headers[1].value.has_value());
    }
  }
}

}  // namespace
}  // namespace tailwater::apps::cli
