// Configuration keys from environment variables, by the rules of the Kafka images that people come from:
//   KAFKA_<KEY>      "_" is ".", "__" is "_", "___" is "-"      (apache/kafka, Confluent)
//   KAFKA_CFG_<KEY>  "_" is "."                                  (Bitnami)
//   TAILWATER_<KEY>  as KAFKA_, for the keys below "tailwater."
// Variables of those names that are no keys (the JVM's, the images' own, our command line's, Kubernetes'
// links to a service called kafka) are passed over.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tailwater::shell {

using Environment = std::vector<std::pair<std::string, std::string>>;  // name, value

// This process's.
Environment current_environment();

struct EnvironmentKey {
  enum class Rule : std::uint8_t { kafka, bitnami, tailwater };
  std::string key;
  Rule rule{};
};

// The key that a variable sets, or nothing if it is no configuration.
std::optional<EnvironmentKey> environment_key(std::string_view name, std::string_view value);

}  // namespace tailwater::shell
