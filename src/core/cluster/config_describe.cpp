// Configuration with sources and synonyms, as DescribeConfigs answers it. Sources are considered in this
// order: the resource itself, this broker's dynamic values, the dynamic default of all brokers,
// server.properties, the default; within one source the synonyms of a key in their order. The first that says
// something is in effect.
#include <algorithm>

#include "core/cluster/config.hpp"

namespace tailwater::cluster {

namespace {

struct Layer {
  const ConfigValues* values;
  ConfigSource source;
};

struct Layers {
  Layer all[3];
  Layers(const BrokerConfig& from_file, const MetadataImage& image, BrokerId broker)
      : all{{&image.broker_configs(broker), ConfigSource::dynamic_broker},
            {&image.default_broker_configs(), ConfigSource::dynamic_default_broker},
            {&from_file.properties, ConfigSource::static_broker}} {}
};

// A value as Kafka writes it after parsing: lists without spaces, booleans in lower case.
std::string canonical(const ConfigKey& key, const std::string& text) {
  switch (key.type) {
    case ConfigType::boolean:
      return parse_bool(text) ? "true" : "false";
    case ConfigType::int16:
    case ConfigType::int32:
    case ConfigType::int64:
      return std::to_string(parse_int64(text));
    case ConfigType::list: {
      std::string joined;
      for (const std::string& member : parse_list(text)) joined += (joined.empty() ? "" : ",") + member;
      return joined;
    }
    default:
      return text;
  }
}

std::optional<std::string> shown(bool sensitive, const std::string& value) {
  return sensitive ? std::nullopt : std::optional(value);
}

void consider(DescribedValue& described, const Layers& layers, std::span<const KeySynonym> synonyms) {
  for (const Layer& layer : layers.all) {
    for (const KeySynonym& synonym : synonyms) {
      const auto at = layer.values->find(synonym.broker_key);
      if (synonym.broker_key.empty() || at == layer.values->end()) continue;
      described.synonyms.push_back(
          {std::string(synonym.broker_key), shown(described.sensitive, at->second), layer.source});
      if (described.source != ConfigSource::fallback) continue;
      described.source = layer.source;
      described.value = synonym.factor == 1 ? canonical(*described.key, at->second)
                                            : std::to_string(scaled(parse_int64(at->second), synonym.factor));
    }
  }
  // Kafka shows the default of the strongest synonym only; a key of one listener has none of its own.
  for (const KeySynonym& synonym : synonyms) {
    const ConfigKey* key = synonym.broker_key.empty() ? nullptr : find_broker_key(synonym.broker_key);
    if (key == nullptr || key->name != synonym.broker_key) continue;
    if (key->has_fallback()) {
      described.synonyms.push_back({std::string(key->name),
                                    shown(described.sensitive, std::string(key->fallback)),
                                    ConfigSource::fallback});
    }
    return;
  }
}

DescribedValue start(const ConfigKey& key, std::string name) {
  DescribedValue described;
  described.key = &key;
  described.name = std::move(name);
  described.sensitive = key.is_sensitive();
  if (key.has_fallback()) described.value = std::string(key.fallback);
  return described;
}

DescribedValue with_override(const ConfigKey& key, const ConfigValues& overrides, ConfigSource source) {
  DescribedValue described = start(key, std::string(key.name));
  if (const auto at = overrides.find(key.name); at != overrides.end()) {
    described.source = source;
    described.value = canonical(key, at->second);
    described.synonyms.push_back({described.name, shown(described.sensitive, at->second), source});
  }
  return described;
}

bool is_broker_number(std::string_view name) {
  return name == "broker.id" || name == "node.id";
}

// A key of one listener falls back to the key itself; the broker's number has two names.
std::string_view second_name(std::string_view name, const ConfigKey* key) {
  if (name == "broker.id") return "node.id";
  if (name == "node.id") return "broker.id";
  return key != nullptr && key->name != name ? key->name : std::string_view{};
}

void hide_if_sensitive(DescribedValue& described) {
  if (described.sensitive) described.value.reset();
}

}  // namespace

std::vector<DescribedValue> describe_topic_values(const ConfigValues& overrides,
                                                  const BrokerConfig& from_file, const MetadataImage& image,
                                                  BrokerId broker) {
  const Layers layers(from_file, image, broker);
  std::vector<DescribedValue> all;
  all.reserve(topic_keys().size());
  for (const ConfigKey& key : topic_keys()) {
    DescribedValue described = with_override(key, overrides, ConfigSource::topic);
    consider(described, layers, key.synonyms);
    hide_if_sensitive(described);
    all.push_back(std::move(described));
  }
  return all;
}

std::vector<DescribedValue> describe_group_values(const ConfigValues& overrides,
                                                  const BrokerConfig& from_file, const MetadataImage& image,
                                                  BrokerId broker) {
  const Layers layers(from_file, image, broker);
  std::vector<DescribedValue> all;
  for (const ConfigKey& key : group_keys()) {
    DescribedValue described = with_override(key, overrides, ConfigSource::group);
    const std::string broker_key = "group." + std::string(key.name);
    const KeySynonym synonym{broker_key};
    if (find_broker_key(broker_key) != nullptr) consider(described, layers, {&synonym, 1});
    hide_if_sensitive(described);
    all.push_back(std::move(described));
  }
  return all;
}

std::vector<DescribedValue> describe_broker_values(const BrokerConfig& from_file, const MetadataImage& image,
                                                   BrokerId broker) {
  const Layers layers(from_file, image, broker);
  std::map<std::string, const ConfigKey*, std::less<>> names;
  for (const ConfigKey& key : broker_keys()) names.emplace(key.name, &key);
  for (const Layer& layer : layers.all) {
    for (const auto& [name, value] : *layer.values) names.try_emplace(name, find_broker_key(name));
  }
  static constexpr ConfigKey kUnknown{.type = ConfigType::unknown};
  std::vector<DescribedValue> all;
  all.reserve(names.size());
  for (const auto& [name, key] : names) {
    DescribedValue described = start(key != nullptr ? *key : kUnknown, name);
    // What an unknown key means is unknown, too: its value might be a secret.
    if (key == nullptr) described.sensitive = true;
    described.read_only = key == nullptr || key->update == UpdateMode::read_only;
    const KeySynonym synonyms[] = {{name}, {second_name(name, key)}};
    consider(described, layers, synonyms);
    if (is_broker_number(name)) described.value = std::to_string(from_file.broker_id);
    if (key == nullptr) described.key = nullptr;
    hide_if_sensitive(described);
    all.push_back(std::move(described));
  }
  return all;
}

std::vector<DescribedValue> describe_default_broker_values(const MetadataImage& image) {
  std::vector<DescribedValue> all;
  for (const auto& [name, value] : image.default_broker_configs()) {
    DescribedValue described;
    described.key = find_broker_key(name);
    described.name = name;
    described.sensitive = described.key == nullptr || described.key->is_sensitive();
    described.value = shown(described.sensitive, value);
    described.source = ConfigSource::dynamic_default_broker;
    described.synonyms.push_back({name, described.value, described.source});
    all.push_back(std::move(described));
  }
  return all;
}

}  // namespace tailwater::cluster
