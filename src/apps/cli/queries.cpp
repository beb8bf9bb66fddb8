#include "apps/cli/queries.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>

#include "apps/nearest_name.hpp"
#include "wire/api/list_offsets.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::int32_t kPartitionMax = 1'000'000;

std::int32_t leader_of(const wire::MetadataResponse& metadata, const TopicPartition& wanted) {
  const auto* topic = find_topic(metadata, wanted.topic);
  if (topic == nullptr) return -1;
  for (const auto& partition : topic->partitions) {
    if (partition.partition_index == wanted.partition) return partition.leader_id;
  }
  return -1;
}

void take_answer(const wire::ListOffsetsResponse& answer, ListedOffsets& listed) {
  for (const auto& topic : answer.topics) {
    for (const auto& partition : topic.partitions) {
      listed[{topic.name, partition.partition_index}] = {partition.offset, partition.error_code};
    }
  }
}

// The offset that a time names, or the end where nothing is as new.
ListedOffset at_time(const ListedOffset& found, const ListedOffset& end) {
  return found.error != wire::ErrorCode::none || found.offset >= 0 ? found : end;
}

Result<int> partition_number(std::string_view text) {
  int value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9' || value > kPartitionMax) value = -1;
    if (value < 0) break;
    value = value * 10 + (digit - '0');
  }
  if (text.empty() || value < 0 || value > kPartitionMax) {
    return fail(Errc::invalid_argument, fmt::format("'{}' is no partition; write 3, 0-3 or 0,2,5", text));
  }
  return value;
}

}  // namespace

std::string to_string(const TopicPartition& partition) {
  return fmt::format("{}[{}]", partition.topic, partition.partition);
}

Result<ListedOffsets> list_offsets(AdminClient& client, const wire::MetadataResponse& metadata,
                                   const std::vector<std::pair<TopicPartition, std::int64_t>>& wanted) {
  ListedOffsets listed;
  std::map<std::int32_t, wire::ListOffsetsRequest> requests;
  for (const auto& [partition, time] : wanted) {
    const std::int32_t leader = leader_of(metadata, partition);
    listed[partition] = {-1, wire::ErrorCode::leader_not_available};
    if (leader < 0) continue;
    wire::ListOffsetsRequest& request = requests[leader];
    request.replica_id = -1;
    request.timeout_ms = static_cast<std::int32_t>(client.options().timeout.count());
    if (request.topics.empty() || request.topics.back().name != partition.topic) {
      request.topics.push_back({.name = partition.topic});
    }
    request.topics.back().partitions.push_back({.partition_index = partition.partition, .timestamp = time});
  }
  for (const auto& [leader, request] : requests) {
    const auto answer = client.ask_broker(leader, request);
    if (!answer) return std::unexpected(answer.error());
    take_answer(*answer, listed);
  }
  return listed;
}

Result<ListedOffsets> resolve_point(AdminClient& client, const wire::MetadataResponse& metadata,
                                    const std::vector<TopicPartition>& partitions, const OffsetPoint& point) {
  using Kind = OffsetPoint::Kind;
  const auto ask = [&](std::int64_t time) {
    std::vector<std::pair<TopicPartition, std::int64_t>> wanted;
    for (const TopicPartition& partition : partitions) wanted.emplace_back(partition, time);
    return list_offsets(client, metadata, wanted);
  };
  if (point.kind == Kind::start) return ask(kEarliest);
  if (point.kind == Kind::end) return ask(kLatest);
  const auto starts = ask(kEarliest);
  if (!starts) return starts;
  const auto ends = ask(kLatest);
  if (!ends) return ends;
  ListedOffsets times;
  if (point.kind == Kind::time) {
    auto answer = ask(point.value);
    if (!answer) return answer;
    times = std::move(*answer);
  }
  ListedOffsets resolved;
  for (const TopicPartition& partition : partitions) {
    const ListedOffset start = starts->at(partition);
    const ListedOffset end = ends->at(partition);
    ListedOffset& place = resolved[partition];
    place = start.error != wire::ErrorCode::none ? start : end;
    if (place.error != wire::ErrorCode::none) continue;
    if (point.kind == Kind::time) {
      place = at_time(times.at(partition), end);
      continue;
    }
    const std::int64_t offset = point.kind == Kind::after_start  ? start.offset + point.value
                                : point.kind == Kind::before_end ? end.offset - point.value
                                                                 : point.value;
    place.offset = std::clamp(offset, start.offset, std::max(start.offset, end.offset));
  }
  return resolved;
}

std::vector<TopicPartition> partitions_of(const wire::MetadataResponse& metadata, std::string_view name) {
  std::vector<TopicPartition> partitions;
  const auto* topic = find_topic(metadata, name);
  if (topic == nullptr) return partitions;
  for (const auto& partition : topic->partitions) {
    partitions.push_back({std::string(name), partition.partition_index});
  }
  std::ranges::sort(partitions);
  return partitions;
}

const wire::MetadataResponseTopic* find_topic(const wire::MetadataResponse& metadata, std::string_view name) {
  for (const auto& topic : metadata.topics) {
    if (topic.name == name) return &topic;
  }
  return nullptr;
}

bool is_pattern(std::string_view text) {
  return text.find_first_of("*?[") != std::string_view::npos;
}

bool matches(std::string_view name, const std::vector<std::string>& patterns) {
  const std::string subject(name);
  return std::ranges::any_of(patterns, [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), subject.c_str(), 0) == 0;
  });
}

Result<wire::MetadataResponse> find_topics(AdminClient& client, const std::vector<std::string>& patterns) {
  const bool by_name = !patterns.empty() && std::ranges::none_of(patterns, is_pattern);
  auto answer = client.metadata(
      {.kind = by_name ? AdminClient::TopicChoice::Kind::named : AdminClient::TopicChoice::Kind::all,
       .names = by_name ? patterns : std::vector<std::string>{}});
  if (!answer) return answer;
  if (!by_name) {
    std::erase_if(answer->topics, [&](const wire::MetadataResponseTopic& topic) {
      const std::string name = topic.name.value_or("");
      if (std::ranges::find(patterns, name) != patterns.end()) return false;
      return topic.is_internal || (!patterns.empty() && !matches(name, patterns));
    });
    for (const std::string& pattern : patterns) {
      if (is_pattern(pattern) || find_topic(*answer, pattern) != nullptr) continue;
      answer->topics.push_back({.error_code = wire::ErrorCode::unknown_topic_or_partition, .name = pattern});
    }
  }
  std::ranges::sort(answer->topics, {}, [](const auto& topic) { return topic.name.value_or(""); });
  const auto same = [](const auto& left, const auto& right) { return left.name == right.name; };
  answer->topics.erase(std::unique(answer->topics.begin(), answer->topics.end(), same), answer->topics.end());
  return answer;
}

std::string no_such_topic(AdminClient& client, std::string_view name, CreationHint hint) {
  std::string message = fmt::format("there is no topic '{}'", name);
  std::vector<std::string> names;
  if (const auto all = client.metadata({})) {
    for (const auto& topic : all->topics) names.push_back(topic.name.value_or(""));
  }
  const std::string nearest = nearest_name(name, names);
  if (!nearest.empty()) return message + fmt::format("; did you mean '{}'?", nearest);
  if (hint == CreationHint::leave_out) return message;
  return message + fmt::format("; create it with: tailwater topic create {}", name);
}

Result<std::vector<std::int32_t>> parse_partitions(const std::vector<std::string>& texts) {
  std::set<std::int32_t> partitions;
  for (std::string_view text : texts) {
    while (true) {
      const std::size_t comma = text.find(',');
      const std::string_view part = text.substr(0, comma);
      const std::size_t dash = part.find('-');
      const auto first = partition_number(part.substr(0, dash));
      if (!first) return std::unexpected(first.error());
      const auto last = dash == std::string_view::npos ? first : partition_number(part.substr(dash + 1));
      if (!last) return std::unexpected(last.error());
      for (std::int32_t partition = *first; partition <= *last; ++partition) partitions.insert(partition);
      if (comma == std::string_view::npos) break;
      text.remove_prefix(comma + 1);
    }
  }
  return std::vector<std::int32_t>(partitions.begin(), partitions.end());
}

}  // namespace tailwater::apps::cli
