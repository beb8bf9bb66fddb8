// The APIs of the Kafka protocol that Tailwater can decode, with their versions and what a caller must be
// allowed to do. The table and the enum ApiKey are generated from src/wire/schema/api. What a broker *serves*
// is the session's decision; this table says what can be spoken.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "wire/api_key.hpp"

namespace tailwater::wire {

// Resource types and operations of ACLs, with Kafka's codes.
enum class Resource : std::int8_t {
  none = 0,  // on the wire: unknown
  any = 1,
  topic = 2,
  group = 3,
  cluster = 4,
  transactional_id = 5,
  delegation_token = 6,
  user = 7,
};

enum class Operation : std::int8_t {
  none = 0,  // on the wire: unknown
  any = 1,
  all = 2,
  read = 3,
  write = 4,
  create = 5,
  remove = 6,  // Kafka's DELETE
  alter = 7,
  describe = 8,
  cluster_action = 9,
  describe_configs = 10,
  alter_configs = 11,
  idempotent_write = 12,
  create_tokens = 13,
  describe_tokens = 14,
  two_phase_commit = 15,
};

struct Permission {
  Resource resource{};
  Operation operation{};
  friend bool operator==(const Permission&, const Permission&) = default;
};

// Which kinds of listener an API belongs to.
using Listeners = std::uint8_t;
inline constexpr Listeners kBrokerListener = 1;
inline constexpr Listeners kControllerListener = 2;

struct ApiInfo {
  ApiKey key{};
  std::string_view name;  // Kafka's spelling
  std::int16_t min_version = 0;
  std::int16_t max_version = 0;
  // What ApiVersions answers. Produce says 0 although 0-2 are refused: librdkafka up to 2.11.0 switches
  // compression off otherwise. A version that is not stable yet is spoken but not advertised.
  std::int16_t advertised_min = 0;
  std::int16_t advertised_max = 0;
  std::int16_t first_flexible = INT16_MAX;  // INT16_MAX: never
  // The first of `permissions`; none if everybody who is authenticated may call.
  Resource resource{};
  Operation operation{};
  // All that the API may ask for, depending on what the request holds.
  std::span<const Permission> permissions;
  bool before_authentication = false;
  Listeners listeners = 0;

  constexpr bool speaks(std::int16_t version) const {
    return version >= min_version && version <= max_version;
  }
  constexpr bool flexible(std::int16_t version) const { return version >= first_flexible; }
};

// Ascending by key.
std::span<const ApiInfo> api_table();
// nullptr if the key is unknown.
const ApiInfo* find_api(std::int16_t key);
inline const ApiInfo* find_api(ApiKey key) {
  return find_api(static_cast<std::int16_t>(key));
}

// What belongs to a request at compile time: key, Response, resource, operation, before_authentication.
// Specialised beside each request; a type that is no request does not compile.
template <class Request>
struct ApiOf;

}  // namespace tailwater::wire
