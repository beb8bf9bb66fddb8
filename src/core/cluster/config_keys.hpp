// Every configuration key that Tailwater knows, as tables: topic keys, group keys and the keys of
// server.properties, with Kafka's names, types, defaults and limits, and what each of them does here. Lookup,
// check of a value against its key with a message for a person, and the nearest known name of a misspelt key.
// Tables are sorted by name.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace tailwater::cluster {

// Kafka's numbers in DescribeConfigs.
enum class ConfigType : std::int8_t {
  unknown = 0,
  boolean = 1,
  string = 2,
  int32 = 3,
  int16 = 4,
  int64 = 5,
  float64 = 6,
  list = 7,
  class_name = 8,
  password = 9,  // never shown
};
std::string_view to_string(ConfigType type);

enum class Importance : std::uint8_t { high, medium, low };

// What a value must satisfy beyond its type. Members of every list are distinct.
struct ValueCheck {
  enum class Kind : std::uint8_t {
    any,
    range,               // low <= number <= high
    range_or_minus_one,  // likewise, or -1
    range_or_zero,       // likewise, or 0
    one_of,              // one of the comma-separated `allowed`
    one_of_any_case,
    list_of,  // a list of members of `allowed`
    not_empty_list_of,
    not_empty,
    partition_broker_pairs,  // "*", or partition:broker pairs
  };
  Kind kind = Kind::any;
  std::int64_t low = 0;
  std::int64_t high = 0;
  std::string_view allowed;
};

enum class UpdateMode : std::uint8_t {
  read_only,     // set in server.properties; a change takes effect at the next start
  per_broker,    // may be altered for one broker, not for all at once
  cluster_wide,  // may be altered for one broker or as the default of all
};

enum class KeyEffect : std::uint8_t {
  implemented,
  none,     // accepted so that Kafka's files work; `reason` says why it changes nothing
  refused,  // only the default is accepted; `reason` says why
};

// A broker key that gives a topic key its default, and how its unit converts: topic value = broker value *
// factor.
struct KeySynonym {
  std::string_view broker_key;
  std::int64_t factor = 1;
};

struct ConfigKey {
  std::string_view name;
  ConfigType type = ConfigType::string;
  std::string_view fallback;  // the default as text; data() == nullptr: no default, the value is null
  Importance importance = Importance::medium;
  ValueCheck check;
  UpdateMode update = UpdateMode::read_only;
  KeyEffect effect = KeyEffect::implemented;
  std::string_view reason;
  std::array<KeySynonym, 3> synonyms{};  // topic keys: strongest first; unused ones have an empty name
  std::string_view documentation;

  bool has_fallback() const { return fallback.data() != nullptr; }
  bool is_sensitive() const { return type == ConfigType::password; }
};

std::span<const ConfigKey> topic_keys();
std::span<const ConfigKey> group_keys();
std::span<const ConfigKey> broker_keys();

const ConfigKey* find_topic_key(std::string_view name);
const ConfigKey* find_group_key(std::string_view name);
// Knows "listener.name.<listener>.<key>" too, where the key may be set for one listener: answers the key
// itself.
const ConfigKey* find_broker_key(std::string_view name);

// "listener.name.external.ssl.key.password" -> {"external", "ssl.key.password"}; a SASL mechanism before a
// sasl key is left out of `key` and comes in `mechanism`. nullopt if the name has not that form.
struct ListenerKey {
  std::string_view listener;
  std::string_view mechanism;
  std::string_view key;
};
std::optional<ListenerKey> split_listener_key(std::string_view name);

// The topic key whose default this broker key gives, or null.
const ConfigKey* topic_key_of_broker_key(std::string_view broker_key);

// Fails with invalid_argument and one sentence that names the key and what is allowed. Spaces around a value
// are ignored.
Result<void> check_value(const ConfigKey& key, std::string_view value);

// Values of checked text. On text that does not parse they give `fallback`.
std::int64_t parse_int64(std::string_view text, std::int64_t fallback = 0);
bool parse_bool(std::string_view text, bool fallback = false);
// A decimal fraction in millionths: "0.5" is 500000.
std::int64_t parse_millionths(std::string_view text, std::int64_t fallback = 0);
// Members between commas, without spaces around them; empty members are left out.
std::vector<std::string> parse_list(std::string_view text);

// The known key that is nearest to a misspelt one, or "" if none is near.
std::string_view nearest_key(std::span<const ConfigKey> keys, std::string_view name);

}  // namespace tailwater::cluster
