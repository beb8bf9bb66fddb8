// Goal: headers have the version that the API and its version demand. Method: bytes written by hand, then
// every API and version there and back.
#include "wire/header.hpp"

#include <gtest/gtest.h>

#include "wire/testing.hpp"

namespace tailwater::wire {
namespace {

TEST(request_header, is_v1_for_a_version_that_is_not_flexible) {
  const Buffer bytes = bytes_of({0, 3, 0, 8, 0, 0, 0, 7, 0, 2, 'm', 'e', 0x55});
  Reader reader(bytes);
  const auto header = decode_request_header(reader);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->api_key, 3);
  EXPECT_EQ(header->api_version, 8);
  EXPECT_EQ(header->correlation_id, 7);
  EXPECT_EQ(header->client_id, "me");
  EXPECT_EQ(reader.remaining(), 1U);
}

TEST(request_header, is_v2_for_a_flexible_version_but_the_client_id_is_never_compact) {
  // One unknown tag (5, two bytes) is skipped.
  const Buffer bytes = bytes_of({0, 3, 0, 9, 0, 0, 0, 7, 0, 2, 'm', 'e', 1, 5, 2, 9, 9, 0x55});
  Reader reader(bytes);
  const auto header = decode_request_header(reader);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->client_id, "me");
  EXPECT_EQ(reader.remaining(), 1U);
}

TEST(request_header, null_client_id_reads_as_empty) {
  const Buffer bytes = bytes_of({0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff});
  Reader reader(bytes);
  const auto header = decode_request_header(reader);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->client_id, "");
}

TEST(request_header, unknown_keys_and_versions_are_unsupported) {
  for (const Buffer& bytes :
       {bytes_of({0, 4, 0, 0, 0, 0, 0, 7, 0, 0}), bytes_of({0xff, 0xff, 0, 0, 0, 0, 0, 7, 0, 0}),
        bytes_of({0, 0, 0, 2, 0, 0, 0, 7, 0, 0}), bytes_of({0, 3, 0, 99, 0, 0, 0, 7, 0, 0}),
        bytes_of({0, 3, 0xff, 0xff, 0, 0, 0, 7, 0, 0})}) {
    Reader reader(bytes);
    const auto header = decode_request_header(reader);
    ASSERT_FALSE(header.has_value());
    EXPECT_EQ(header.error().code, Errc::unsupported);
  }
}

TEST(request_header, api_versions_passes_with_a_version_of_the_future) {
  const Buffer bytes = bytes_of({0, 18, 0, 99, 0, 0, 0, 7, 0, 1, 'x', 0});
  Reader reader(bytes);
  const auto header = decode_request_header(reader);
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->api_version, 99);
  EXPECT_EQ(header->client_id, "x");
}

TEST(request_header, every_truncation_fails) {
  const Buffer bytes = bytes_of({0, 3, 0, 9, 0, 0, 0, 7, 0, 2, 'm', 'e', 1, 5, 2, 9, 9});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Buffer cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    Reader reader(cut);
    EXPECT_FALSE(decode_request_header(reader).has_value()) << size;
  }
}

TEST(headers, of_every_api_and_version_come_back) {
  for (const ApiInfo& api : api_table()) {
    for (int number = api.min_version; number <= api.max_version; ++number) {
      const auto version = static_cast<std::int16_t>(number);
      SCOPED_TRACE(std::string(api.name) + " v" + std::to_string(number));
      Buffer request;
      Writer request_writer(request);
      const auto key = static_cast<std::int16_t>(api.key);
      encode_request_header(request_writer, {key, version, 42, "tester"});
      EXPECT_EQ(request.size(), api.flexible(version) ? 17U : 16U);
      Reader request_reader(request);
      const auto header = decode_request_header(request_reader);
      ASSERT_TRUE(header.has_value());
      EXPECT_EQ(header->client_id, "tester");
      EXPECT_EQ(request_reader.remaining(), 0U);

      Buffer response;
      Writer response_writer(response);
      encode_response_header(response_writer, api.key, version, 43);
      EXPECT_EQ(response.size(), response_header_size(api.key, version));
      const bool long_form = api.flexible(version) && api.key != ApiKey::api_versions;
      EXPECT_EQ(response.size(), long_form ? 5U : 4U);
      Reader response_reader(response);
      EXPECT_EQ(decode_response_header(response_reader, api.key, version), 43);
      EXPECT_EQ(response_reader.remaining(), 0U);
    }
  }
}

}  // namespace
}  // namespace tailwater::wire
