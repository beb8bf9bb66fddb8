// Changing configurations: the whole set of a resource (AlterConfigs) or single keys
// (IncrementalAlterConfigs).
#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "core/cluster/config_keys.hpp"
#include "core/cluster/decide.hpp"

namespace tailwater::cluster {

namespace {

using wire::ErrorCode;

enum class Operation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

struct Resource {
  ResourceType type{};
  std::string name;
  friend auto operator<=>(const Resource&, const Resource&) = default;
};

std::span<const ConfigKey> keys_of(ResourceType type) {
  switch (type) {
    case ResourceType::topic:
      return topic_keys();
    case ResourceType::group:
      return group_keys();
    default:
      return broker_keys();
  }
}

const ConfigKey* find_key(ResourceType type, std::string_view name) {
  switch (type) {
    case ResourceType::topic:
      return find_topic_key(name);
    case ResourceType::group:
      return find_group_key(name);
    default:
      return find_broker_key(name);
  }
}

std::string_view noun_of(ResourceType type) {
  switch (type) {
    case ResourceType::topic:
      return "topic";
    case ResourceType::group:
      return "group";
    default:
      return "broker";
  }
}

Refusal check_resource(const MetadataImage& image, const Resource& resource) {
  switch (resource.type) {
    case ResourceType::topic:
      if (resource.name.empty()) return {ErrorCode::invalid_request, "The name of a topic cannot be empty"};
      if (image.topic(resource.name) != nullptr) return {};
      return {ErrorCode::unknown_topic_or_partition, "There is no topic '" + resource.name + "'"};
    case ResourceType::broker: {
      if (resource.name.empty()) return {};
      std::int32_t id = -1;
      const char* end = resource.name.data() + resource.name.size();
      const auto parsed = std::from_chars(resource.name.data(), end, id);
      if (parsed.ec == std::errc{} && parsed.ptr == end && image.broker(BrokerId{id}) != nullptr) return {};
      return {ErrorCode::invalid_request,
              "There is no broker '" + resource.name +
                  "'; name a broker by its number, or all of them by an empty name"};
    }
    case ResourceType::group:
      if (!resource.name.empty()) return {};
      return {ErrorCode::invalid_request, "The name of a group cannot be empty"};
    default:
      return {ErrorCode::invalid_request, "Configurations of resource type " +
                                              std::to_string(static_cast<int>(resource.type)) +
                                              " cannot be changed here"};
  }
}

ConfigValues present_values(const MetadataImage& image, const Resource& resource) {
  if (resource.type != ResourceType::topic) return image.configs(resource.type, resource.name);
  const TopicHandle topic = image.topic(resource.name);
  return topic != nullptr ? topic->configs : ConfigValues{};
}

Refusal check_key(const Resource& resource, const std::string& name) {
  const ConfigKey* key = find_key(resource.type, name);
  if (key == nullptr) {
    std::string message = "There is no " + std::string(noun_of(resource.type)) + " configuration " + name;
    const std::string_view near = nearest_key(keys_of(resource.type), name);
    if (!near.empty()) message += "; did you mean " + std::string(near) + "?";
    return {ErrorCode::invalid_config, std::move(message)};
  }
  if (resource.type != ResourceType::broker) return {};
  if (key->update == UpdateMode::read_only) {
    return {ErrorCode::invalid_request,
            name + " cannot be changed while the broker runs; set it in server.properties and restart"};
  }
  if (key->update == UpdateMode::per_broker && resource.name.empty()) {
    return {ErrorCode::invalid_request, name + " can be changed for one broker only, not for all at once"};
  }
  return {};
}

// A group's times stay between the least and the greatest that the broker allows.
Refusal check_group_times(const ConfigValues& values, const BrokerConfig& broker) {
  const auto check = [&](const char* name, std::int64_t least, std::int64_t greatest) -> Refusal {
    const auto at = values.find(name);
    if (at == values.end()) return {};
    const std::int64_t value = parse_int64(at->second);
    if (value >= least && value <= greatest) return {};
    return {ErrorCode::invalid_config, std::string(name) + " must be from " + std::to_string(least) + " to " +
                                           std::to_string(greatest) + ", as group." + name +
                                           "'s limits on the broker say; got '" + at->second + "'"};
  };
  if (Refusal refusal = check("consumer.session.timeout.ms", broker.consumer_group_min_session_timeout_ms,
                              broker.consumer_group_max_session_timeout_ms)) {
    return refusal;
  }
  return check("consumer.heartbeat.interval.ms", broker.consumer_group_min_heartbeat_interval_ms,
               broker.consumer_group_max_heartbeat_interval_ms);
}

// Whether a broker's configuration would be whole with these values of its own, or of all brokers. What does
// not fit already is nothing that this change can be blamed for.
Refusal check_broker_relations(const Draft& draft, const Resource& resource, const ConfigValues& values) {
  const MetadataImage& image = draft.image();
  const auto with = [&](const ConfigValues& of_all, const ConfigValues& own) {
    return broken_relations(effective_broker_config(draft.from_file(), of_all, own));
  };
  const ConfigValues& of_all = image.default_broker_configs();
  const ConfigValues& own = resource.name.empty() ? image.broker_configs(draft.self())
                                                  : image.configs(resource.type, resource.name);
  const std::vector<ConfigNotice> before = with(of_all, own);
  for (const ConfigNotice& after : resource.name.empty() ? with(values, own) : with(of_all, values)) {
    if (std::ranges::find(before, after.message, &ConfigNotice::message) != before.end()) continue;
    return {ErrorCode::invalid_request, after.message};
  }
  return {};
}

// Whether the values that a resource would have are allowed. Only keys in `changed` are looked at one by one:
// what was stored by an earlier release stays.
Refusal check_values(const Draft& draft, const Resource& resource, const ConfigValues& values,
                     const std::set<std::string>& changed) {
  for (const std::string& name : changed) {
    const auto value = values.find(name);
    if (value == values.end()) continue;
    if (Refusal refusal = check_key(resource, name)) return refusal;
    if (const auto checked = check_value(*find_key(resource.type, name), value->second); !checked) {
      // Kafka's code for a broker's values differs from that for a topic's.
      const bool of_broker = resource.type == ResourceType::broker;
      return {of_broker ? ErrorCode::invalid_request : ErrorCode::invalid_config, checked.error().message};
    }
  }
  if (resource.type == ResourceType::group) return check_group_times(values, draft.config());
  return resource.type == ResourceType::topic ? check_topic_configs(values, draft.config())
                                              : check_broker_relations(draft, resource, values);
}

void propose_changes(Draft& draft, const Resource& resource, const ConfigValues& before,
                     const ConfigValues& after) {
  std::vector<Record> records;
  const auto add = [&](const std::string& name, std::optional<std::string> value) {
    records.emplace_back(
        wire::ConfigRecord{static_cast<std::int8_t>(resource.type), resource.name, name, std::move(value)});
  };
  for (const auto& [name, value] : after) {
    const auto old = before.find(name);
    if (old == before.end() || old->second != value) add(name, value);
  }
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) add(name, std::nullopt);
  }
  draft.propose(records);
}

// --- the whole set

Refusal replace(Draft& draft, const wire::AlterConfigsRequestAlterConfigsResource& wanted,
                bool validate_only) {
  const Resource resource{static_cast<ResourceType>(wanted.resource_type), wanted.resource_name};
  if (Refusal refusal = check_resource(draft.image(), resource)) return refusal;
  ConfigValues after;
  std::set<std::string> changed;
  for (const auto& config : wanted.configs) {
    if (!config.value)
      return {ErrorCode::invalid_request, "The configuration " + config.name + " needs a value"};
    after[config.name] = *config.value;
    changed.insert(config.name);
  }
  if (Refusal refusal = check_values(draft, resource, after, changed)) return refusal;
  if (!validate_only) propose_changes(draft, resource, present_values(draft.image(), resource), after);
  return {};
}

// --- single keys

std::string joined(const std::vector<std::string>& members) {
  std::string text;
  for (const std::string& member : members) text += (text.empty() ? "" : ",") + member;
  return text;
}

// The list that is in effect on the resource: its own value, else the one from the broker, else the default.
std::vector<std::string> list_in_effect(const Draft& draft, const Resource& resource, const ConfigKey& key,
                                        const std::string& name, const ConfigValues& values) {
  if (const auto own = values.find(name); own != values.end()) return parse_list(own->second);
  std::vector<DescribedValue> described;
  if (resource.type == ResourceType::topic) {
    described = describe_topic_values({}, draft.from_file(), draft.image(), draft.self());
  } else if (resource.type == ResourceType::broker) {
    // What holds for all brokers does not begin with what one of them has for itself.
    const BrokerId whose = resource.name.empty() ? kNoBroker : draft.self();
    described = describe_broker_values(draft.from_file(), draft.image(), whose);
  }
  const auto found = std::ranges::find(described, name, &DescribedValue::name);
  return parse_list(found != described.end() ? found->value.value_or("") : std::string(key.fallback));
}

Refusal change_list(const Draft& draft, const Resource& resource, Operation operation,
                    const wire::IncrementalAlterConfigsRequestAlterableConfig& config, ConfigValues& values) {
  if (Refusal refusal = check_key(resource, config.name)) return refusal;
  const ConfigKey& key = *find_key(resource.type, config.name);
  if (key.type != ConfigType::list) {
    return {ErrorCode::invalid_config,
            config.name + " is no list, so nothing can be appended to or taken from it; its type is " +
                std::string(to_string(key.type))};
  }
  std::vector<std::string> members = list_in_effect(draft, resource, key, config.name, values);
  for (const std::string& member : parse_list(*config.value)) {
    if (operation == Operation::subtract) {
      std::erase(members, member);
    } else if (std::ranges::find(members, member) == members.end()) {
      members.push_back(member);
    }
  }
  values[config.name] = joined(members);
  return {};
}

Refusal change(const Draft& draft, const Resource& resource,
               const wire::IncrementalAlterConfigsRequestAlterableConfig& config, ConfigValues& values) {
  const auto operation = static_cast<Operation>(config.config_operation);
  if (operation == Operation::remove) {
    values.erase(config.name);
    return {};
  }
  if (operation < Operation::set || operation > Operation::subtract) {
    return {ErrorCode::invalid_request,
            "There is no operation " + std::to_string(config.config_operation) + " on configurations"};
  }
  if (!config.value)
    return {ErrorCode::invalid_request, "The configuration " + config.name + " needs a value"};
  if (operation != Operation::set) return change_list(draft, resource, operation, config, values);
  values[config.name] = *config.value;
  return {};
}

Refusal alter(Draft& draft, const wire::IncrementalAlterConfigsRequestAlterConfigsResource& wanted,
              bool validate_only) {
  const Resource resource{static_cast<ResourceType>(wanted.resource_type), wanted.resource_name};
  if (Refusal refusal = check_resource(draft.image(), resource)) return refusal;
  const ConfigValues before = present_values(draft.image(), resource);
  ConfigValues after = before;
  std::set<std::string> changed;
  for (const auto& config : wanted.configs) {
    if (!changed.insert(config.name).second) {
      return {ErrorCode::invalid_request,
              "The request changes the configuration " + config.name + " more than once"};
    }
    if (Refusal refusal = change(draft, resource, config, after)) return refusal;
  }
  if (Refusal refusal = check_values(draft, resource, after, changed)) return refusal;
  if (!validate_only) propose_changes(draft, resource, before, after);
  return {};
}

// Answers each resource once, in the order of the request; one that is named twice is refused.
template <class Request, class Response, class Decide>
Response each_resource(const Request& request, Decide decide_one) {
  std::map<Resource, std::size_t> times;
  const auto key_of = [](const auto& wanted) {
    return Resource{static_cast<ResourceType>(wanted.resource_type), wanted.resource_name};
  };
  for (const auto& wanted : request.resources) ++times[key_of(wanted)];
  Response response;
  std::set<Resource> answered;
  for (const auto& wanted : request.resources) {
    const Resource resource = key_of(wanted);
    if (!answered.insert(resource).second) continue;
    Refusal refusal = times[resource] > 1 ? Refusal{ErrorCode::invalid_request,
                                                    "The request names this resource more than once"}
                                          : decide_one(wanted);
    auto& result = response.responses.emplace_back();
    result.resource_type = wanted.resource_type;
    result.resource_name = wanted.resource_name;
    result.error_code = refusal.code;
    if (refusal) result.error_message = std::move(refusal.message);
  }
  return response;
}

}  // namespace

Refusal check_topic_configs(const ConfigValues& overrides, const BrokerConfig& broker) {
  const Resource any_topic{ResourceType::topic, {}};
  for (const auto& [name, value] : overrides) {
    if (Refusal refusal = check_key(any_topic, name)) return refusal;
    if (const auto checked = check_value(*find_topic_key(name), value); !checked) {
      return {ErrorCode::invalid_config, checked.error().message};
    }
  }
  const TopicConfig config = effective_topic_config(overrides, broker);
  if (config.min_compaction_lag_ms > config.max_compaction_lag_ms) {
    return {ErrorCode::invalid_config, "min.compaction.lag.ms (" +
                                           std::to_string(config.min_compaction_lag_ms) +
                                           ") must not be greater than max.compaction.lag.ms (" +
                                           std::to_string(config.max_compaction_lag_ms) + ")"};
  }
  return {};
}

wire::AlterConfigsResponse decide(Draft& draft, const wire::AlterConfigsRequest& request) {
  return each_resource<wire::AlterConfigsRequest, wire::AlterConfigsResponse>(
      request, [&](const auto& wanted) { return replace(draft, wanted, request.validate_only); });
}

wire::IncrementalAlterConfigsResponse decide(Draft& draft,
                                             const wire::IncrementalAlterConfigsRequest& request) {
  return each_resource<wire::IncrementalAlterConfigsRequest, wire::IncrementalAlterConfigsResponse>(
      request, [&](const auto& wanted) { return alter(draft, wanted, request.validate_only); });
}

}  // namespace tailwater::cluster
