// Goal: what the printer writes is JSON whatever it is given, and secrets stay secret. Method: small values
// with their text.
#include "wire/printer.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "wire/api/incremental_alter_configs.hpp"
#include "wire/api/sasl_authenticate.hpp"

namespace tailwater::wire {
namespace {

template <class Value>
std::string printed(const Value& value) {
  std::string out;
  Printer printer(out, Secrets::hide);
  printer.value(value);
  return out;
}

TEST(printer, numbers_and_null) {
  EXPECT_EQ(printed(std::int8_t{-5}), "-5");
  EXPECT_EQ(printed(INT64_MIN), "-9223372036854775808");
  EXPECT_EQ(printed(std::uint16_t{65535}), "65535");
  EXPECT_EQ(printed(true), "true");
  EXPECT_EQ(printed(2.5), "2.5");
  EXPECT_EQ(printed(0.0), "0.0");
  EXPECT_EQ(printed(std::numeric_limits<double>::infinity()), "\"Infinity\"");
  EXPECT_EQ(printed(std::numeric_limits<double>::quiet_NaN()), "\"NaN\"");
  EXPECT_EQ(printed(std::optional<std::string>{}), "null");
  EXPECT_EQ(printed(ErrorCode::unknown_server_error), "-1");
}

TEST(printer, text_is_escaped) {
  EXPECT_EQ(printed(std::string("a\"b\\c\n\x01")), "\"a\\\"b\\\\c\\n\\u0001\"");
  EXPECT_EQ(printed(std::string("\xc3\xbc \xe2\x82\xac \xf0\x9f\x8c\x8a")),
            "\"\xc3\xbc \xe2\x82\xac \xf0\x9f\x8c\x8a\"");
}

TEST(printer, text_that_is_not_utf8_gets_replacement_characters) {
  const std::string mark = "\xef\xbf\xbd";
  EXPECT_EQ(printed(std::string("a\xffz")), "\"a" + mark + "z\"");
  EXPECT_EQ(printed(std::string("\xc3")), "\"" + mark + "\"");
  EXPECT_EQ(printed(std::string("\xc0\x80")), "\"" + mark + mark + "\"");
  EXPECT_EQ(printed(std::string("\xed\xa0\x80")), "\"" + mark + mark + mark + "\"");
  EXPECT_EQ(printed(std::string("\xf4\x90\x80\x80")), "\"" + mark + mark + mark + mark + "\"");
}

TEST(printer, bytes_are_base64) {
  const auto text = [](std::string_view bytes) { return printed(as_bytes(bytes)); };
  EXPECT_EQ(text(""), "\"\"");
  EXPECT_EQ(text("f"), "\"Zg==\"");
  EXPECT_EQ(text("fo"), "\"Zm8=\"");
  EXPECT_EQ(text("foo"), "\"Zm9v\"");
  EXPECT_EQ(text("\xff\xfe\xfd\xfc"), "\"//79/A==\"");
}

TEST(printer, objects_and_arrays_are_separated) {
  std::string out;
  Printer printer(out, Secrets::hide);
  printer.begin_object();
  printer.field("a", std::vector<std::int32_t>{1, 2});
  printer.key("b");
  printer.begin_array();
  printer.begin_object();
  printer.end_object();
  printer.begin_object();
  printer.end_object();
  printer.end_array();
  printer.records("c", Bytes{});
  printer.records("d", std::nullopt);
  printer.end_object();
  EXPECT_EQ(out, R"({"a":[1,2],"b":[{},{}],"cSizeInBytes":0,"d":null})");
}

TEST(printer, secrets_are_shown_on_demand_only) {
  SaslAuthenticateRequest request;
  for (const char letter : std::string("password"))
    request.auth_bytes.push_back(static_cast<std::byte>(letter));
  std::string hidden;
  print(hidden, 2, request);
  EXPECT_EQ(hidden, R"({"authBytes":"***"})");
  std::string shown;
  print(shown, 2, request, Secrets::show);
  EXPECT_EQ(shown, R"({"authBytes":"cGFzc3dvcmQ="})");
}

TEST(printer, values_of_configurations_are_secrets) {
  IncrementalAlterConfigsRequest request;
  auto& config = request.resources.emplace_back().configs.emplace_back();
  config.name = "ssl.keystore.password";
  config.value = "hunter2";
  std::string out;
  print(out, 1, request);
  EXPECT_EQ(out.find("hunter2"), std::string::npos);
  EXPECT_NE(out.find("ssl.keystore.password"), std::string::npos);
}

}  // namespace
}  // namespace tailwater::wire
