// ListConfigResources: what has a configuration. DescribeConfigs: every key of a topic, a broker or a group
// with its value, where that comes from, and its meaning.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "core/cluster/config.hpp"
#include "core/cluster/topic_name.hpp"
#include "node/api/handlers.hpp"
#include "node/shard_state.hpp"

namespace tailwater::node {

namespace {

using Result_ = wire::DescribeConfigsResponseDescribeConfigsResult;
using Item = wire::DescribeConfigsResponseDescribeConfigsResourceResult;

Item item_of(cluster::DescribedValue&& value, const wire::DescribeConfigsRequest& asked) {
  Item item;
  item.name = std::move(value.name);
  item.value = std::move(value.value);
  item.read_only = value.read_only;
  item.is_sensitive = value.sensitive;
  item.config_source = static_cast<std::int8_t>(value.source);
  if (value.key != nullptr) item.config_type = static_cast<std::int8_t>(value.key->type);
  if (asked.include_documentation && value.key != nullptr) {
    item.documentation = std::string(value.key->documentation);
  }
  if (asked.include_synonyms) {
    for (auto& synonym : value.synonyms) {
      item.synonyms.push_back({.name = std::move(synonym.name),
                               .value = std::move(synonym.value),
                               .source = static_cast<std::int8_t>(synonym.source)});
    }
  }
  return item;
}

void fail(Result_& result, wire::ErrorCode error, std::string message) {
  result.error_code = error;
  result.error_message = std::move(message);
}

std::vector<cluster::DescribedValue> broker_values(const Context& context, Result_& result) {
  const std::string& name = result.resource_name;
  if (name.empty()) return cluster::describe_default_broker_values(*context.image);
  std::int32_t id = -1;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), id);
  if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) {
    fail(result, wire::ErrorCode::invalid_request, "Broker id must be an integer, but it is: " + name);
    return {};
  }
  if (id != context.options.broker.value) {
    fail(result, wire::ErrorCode::invalid_request,
         "Unexpected broker id, expected " + std::to_string(context.options.broker.value) +
             " or empty string, but received " + name);
    return {};
  }
  return cluster::describe_broker_values(context.options.config, *context.image, context.options.broker);
}

std::vector<cluster::DescribedValue> values_of(const Context& context, Result_& result) {
  switch (static_cast<cluster::ResourceType>(result.resource_type)) {
    case cluster::ResourceType::topic: {
      if (auto error = cluster::topic_name_error(result.resource_name)) {
        fail(result, wire::ErrorCode::invalid_topic_exception, *std::move(error));
        return {};
      }
      const cluster::TopicHandle topic = context.image->topic(result.resource_name);
      if (!topic) {
        fail(result, wire::ErrorCode::unknown_topic_or_partition,
             "This server does not host this topic-partition.");
        return {};
      }
      return cluster::describe_topic_values(topic->configs, context.options.config, *context.image,
                                            context.options.broker);
    }
    case cluster::ResourceType::broker:
      return broker_values(context, result);
    case cluster::ResourceType::group:
      if (result.resource_name.empty()) {
        fail(result, wire::ErrorCode::invalid_request, "The name of a group cannot be empty");
        return {};
      }
      return cluster::describe_group_values(
          context.image->configs(cluster::ResourceType::group, result.resource_name), context.options.config,
          *context.image, context.options.broker);
    default:
      fail(result, wire::ErrorCode::invalid_request,
           "Unsupported resource type: " + std::to_string(result.resource_type));
      return {};
  }
}

// A resource that is asked for, and the keys that are: all if absent.
struct Wanted {
  const wire::DescribeConfigsRequestDescribeConfigsResource* resource = nullptr;
  std::optional<std::set<std::string_view>> keys;
};

// Each resource once, in the order of the request, with what all its mentions want.
std::vector<Wanted> wanted_of(const wire::DescribeConfigsRequest& asked) {
  std::vector<Wanted> all;
  std::map<std::pair<std::int8_t, std::string_view>, std::size_t> places;
  for (const auto& resource : asked.resources) {
    const auto [place, is_new] =
        places.try_emplace({resource.resource_type, resource.resource_name}, all.size());
    if (is_new) all.push_back({&resource, std::set<std::string_view>()});
    Wanted& wanted = all[place->second];
    const auto& keys = resource.configuration_keys;
    if (!keys || keys->empty()) {
      wanted.keys.reset();
    } else if (wanted.keys) {
      wanted.keys->insert(keys->begin(), keys->end());
    }
  }
  return all;
}

std::size_t size_of(const std::optional<std::string>& text) {
  return text ? text->size() : 0;
}

// About what it takes when it is encoded; here it is some five times as much.
std::size_t encoded_size(const Item& item) {
  constexpr std::size_t kItem = 12;
  constexpr std::size_t kSynonym = 6;
  std::size_t bytes = kItem + item.name.size() + size_of(item.value) + size_of(item.documentation);
  for (const auto& synonym : item.synonyms) bytes += kSynonym + synonym.name.size() + size_of(synonym.value);
  return bytes;
}

constexpr std::array kListedTypes = {
    static_cast<std::int8_t>(cluster::ResourceType::topic),
    static_cast<std::int8_t>(cluster::ResourceType::broker),
    static_cast<std::int8_t>(cluster::ResourceType::broker_logger),
    static_cast<std::int8_t>(cluster::ResourceType::client_metrics),
    static_cast<std::int8_t>(cluster::ResourceType::group),
};

bool is_in(std::span<const std::int8_t> types, std::int8_t type) {
  return std::ranges::find(types, type) != types.end();
}

// Topics and brokers have a configuration always, the others when somebody gave them one. This broker has no
// loggers whose level can be changed.
std::vector<std::string> names_of(const cluster::MetadataImage& image, cluster::ResourceType type) {
  std::vector<std::string> names;
  if (type == cluster::ResourceType::topic) {
    for (const cluster::TopicHandle& topic : image.topics) names.push_back(topic->name);
  } else if (type == cluster::ResourceType::broker) {
    for (const BrokerId id : image.alive_brokers()) names.push_back(std::to_string(id.value));
  } else {
    for (const cluster::ResourceConfigsHandle& configs : image.resources) {
      if (configs->type == type) names.push_back(configs->name);
    }
  }
  return names;
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::ListConfigResourcesRequest&& asked) {
  using cluster::ResourceType;
  const cluster::MetadataImage& image = *shard.context.image;
  std::vector<std::int8_t> types = std::move(asked.resource_types);
  constexpr std::int16_t kFirstVersionWithTypes = 1;
  if (request.version < kFirstVersionWithTypes) {
    types = {static_cast<std::int8_t>(ResourceType::client_metrics)};
  } else if (types.empty()) {
    types.assign(kListedTypes.begin(), kListedTypes.end());
  }
  wire::ListConfigResourcesResponse response;
  if (!std::ranges::all_of(types, [](std::int8_t type) { return is_in(kListedTypes, type); })) {
    response.error_code = wire::ErrorCode::unsupported_version;
    return shard.connections.answer(request, response);
  }
  for (const std::int8_t type : kListedTypes) {
    if (!is_in(types, type)) continue;
    for (std::string& name : names_of(image, static_cast<ResourceType>(type))) {
      response.config_resources.push_back({.resource_name = std::move(name), .resource_type = type});
    }
  }
  shard.connections.answer(request, response);
}

void serve(ShardState& shard, const Request& request, wire::DescribeConfigsRequest&& asked) {
  wire::DescribeConfigsResponse response;
  const std::size_t most = shard.connections.answer_bytes_max();
  std::size_t size = 0;
  for (const Wanted& wanted : wanted_of(asked)) {
    Result_& result = response.results.emplace_back();
    result.resource_type = wanted.resource->resource_type;
    result.resource_name = wanted.resource->resource_name;
    for (cluster::DescribedValue& value : values_of(shard.context, result)) {
      if (wanted.keys && !wanted.keys->contains(value.name)) continue;
      size += encoded_size(result.configs.emplace_back(item_of(std::move(value), asked)));
    }
    size += sizeof result + result.resource_name.size() + size_of(result.error_message);
    if (size > most) return shard.connections.refuse_large_answer(request, most);
  }
  shard.connections.answer(request, response);
}

}  // namespace tailwater::node
