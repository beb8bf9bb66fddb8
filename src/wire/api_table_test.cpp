// Goal: the table of APIs says what clients rely on. Method: its relations for every entry, and the entries
// on which the behaviour of known clients hangs.
#include "wire/api_table.hpp"

#include <gtest/gtest.h>

#include "wire/api/create_acls.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/produce.hpp"
#include "wire/api/sasl_handshake.hpp"

namespace tailwater::wire {
namespace {

TEST(api_table, entries_ascend_and_are_found) {
  int previous = -1;
  for (const ApiInfo& api : api_table()) {
    EXPECT_GT(static_cast<int>(api.key), previous);
    previous = static_cast<int>(api.key);
    EXPECT_EQ(find_api(api.key), &api);
    EXPECT_LE(api.min_version, api.max_version);
    EXPECT_LE(api.advertised_min, api.min_version);
    EXPECT_LE(api.advertised_max, api.max_version);
    EXPECT_NE(api.listeners, 0);
    if (api.permissions.empty()) {
      EXPECT_EQ(api.resource, Resource::none);
    } else {
      EXPECT_EQ(api.permissions[0], (Permission{api.resource, api.operation}));
    }
  }
}

TEST(api_table, keys_that_nobody_may_use_are_not_found) {
  for (const int key : {-32768, -1, 4, 5, 6, 7, 52, 53, 54, 59, 62, 70, 73, 82, 95, 32767}) {
    EXPECT_EQ(find_api(static_cast<std::int16_t>(key)), nullptr) << key;
  }
}

TEST(api_table, minimums_that_old_librdkafka_looks_for) {
  EXPECT_EQ(find_api(ApiKey::produce)->advertised_min, 0);
  EXPECT_EQ(find_api(ApiKey::produce)->min_version, 3);
  EXPECT_EQ(find_api(ApiKey::join_group)->min_version, 0);
  EXPECT_EQ(find_api(ApiKey::api_versions)->min_version, 0);
}

TEST(api_table, versions_that_are_not_stable_are_not_advertised) {
  EXPECT_EQ(find_api(ApiKey::init_producer_id)->max_version, 6);
  EXPECT_EQ(find_api(ApiKey::init_producer_id)->advertised_max, 5);
}

TEST(api_table, only_the_dialogue_of_authentication_comes_before_it) {
  for (const ApiInfo& api : api_table()) {
    const bool dialogue = api.key == ApiKey::sasl_handshake || api.key == ApiKey::sasl_authenticate ||
                          api.key == ApiKey::api_versions;
    EXPECT_EQ(api.before_authentication, dialogue) << api.name;
  }
}

TEST(api_of, binds_a_request_to_its_response_and_permission) {
  static_assert(std::is_same_v<ApiOf<MetadataRequest>::Response, MetadataResponse>);
  static_assert(ApiOf<MetadataRequest>::key == ApiKey::metadata);
  static_assert(ApiOf<ProduceRequest>::resource == Resource::topic);
  static_assert(ApiOf<ProduceRequest>::operation == Operation::write);
  static_assert(ApiOf<CreateAclsRequest>::operation == Operation::alter);
  static_assert(ApiOf<SaslHandshakeRequest>::before_authentication);
  EXPECT_EQ(find_api(ApiOf<CreateAclsRequest>::key)->resource, Resource::cluster);
}

}  // namespace
}  // namespace tailwater::wire
