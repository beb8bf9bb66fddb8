#include "apps/cli/config_words.hpp"

#include <fmt/format.h>

#include "apps/cli/settings.hpp"
#include "apps/cli/text_encoding.hpp"

namespace tailwater::apps::cli {

Result<ConfigChange> parse_config_change(std::string_view word) {
  const std::size_t equals = word.find('=');
  ConfigChange change;
  std::string_view key = word.substr(0, equals);
  if (key.ends_with('+')) change.operation = ConfigOperation::append;
  if (key.ends_with('-')) change.operation = ConfigOperation::subtract;
  if (change.operation != ConfigOperation::set) key.remove_suffix(1);
  if (equals == std::string_view::npos || key.empty()) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is no setting; write KEY=VALUE", word));
  }
  change.key = key;
  change.value = word.substr(equals + 1);
  return change;
}

Result<std::vector<ConfigChange>> parse_config_changes(const std::vector<std::string>& words) {
  std::vector<ConfigChange> changes;
  for (const std::string& word : words) {
    auto change = parse_config_change(word);
    if (!change) return std::unexpected(change.error());
    changes.push_back(std::move(*change));
  }
  return changes;
}

std::span<const cluster::ConfigKey> keys_of(ConfigResource resource) {
  switch (resource) {
    case ConfigResource::topic:
      return cluster::topic_keys();
    case ConfigResource::broker:
      return cluster::broker_keys();
    case ConfigResource::group:
      return cluster::group_keys();
  }
  return {};
}

namespace {

const cluster::ConfigKey* find_key(ConfigResource resource, std::string_view name) {
  switch (resource) {
    case ConfigResource::topic:
      return cluster::find_topic_key(name);
    case ConfigResource::broker:
      return cluster::find_broker_key(name);
    case ConfigResource::group:
      return cluster::find_group_key(name);
  }
  return nullptr;
}

}  // namespace

void warn_of_keys(ConfigResource resource, const std::vector<ConfigChange>& changes) {
  for (const ConfigChange& change : changes) {
    const cluster::ConfigKey* key = find_key(resource, change.key);
    if (key == nullptr) {
      std::string warning =
          fmt::format("warning: '{}' is no key that this version knows", printable(change.key));
      const std::string_view nearest = cluster::nearest_key(keys_of(resource), change.key);
      if (!nearest.empty()) warning += fmt::format("; did you mean '{}'?", nearest);
      complain(warning);
    } else if (key->effect == cluster::KeyEffect::none) {
      complain(fmt::format("warning: {} has no effect: {}", change.key, key->reason));
    }
  }
}

wire::IncrementalAlterConfigsRequest::AlterConfigsResource resource_of(
    ConfigResource resource, const std::string& name, const std::vector<ConfigChange>& changes) {
  wire::IncrementalAlterConfigsRequest::AlterConfigsResource altered;
  altered.resource_type = static_cast<std::int8_t>(resource);
  altered.resource_name = name;
  for (const ConfigChange& change : changes) {
    auto& config = altered.configs.emplace_back();
    config.name = change.key;
    config.config_operation = static_cast<std::int8_t>(change.operation);
    if (change.operation != ConfigOperation::remove) config.value = change.value;
  }
  return altered;
}

}  // namespace tailwater::apps::cli
