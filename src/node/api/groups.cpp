// The APIs of groups: each group's request goes to the shard of its coordinator, and the coordinator's answer
// back.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "core/group/partition.hpp"
#include "node/api/handlers.hpp"
#include "node/api/once.hpp"
#include "node/shard_state.hpp"

namespace tailwater::node {

namespace {

constexpr std::int16_t kFirstCommitWithIds = 10;
constexpr std::int16_t kFirstTxnCommitWithIds = 6;
constexpr std::int16_t kFirstFetchWithGroups = 8;
constexpr std::int16_t kFirstFetchWithIds = 10;

struct CoordinatorPlace {
  ShardId shard;
  std::int32_t partition = 0;
};

// Where a group's coordinator is. While there is no offsets topic, shard 0, which then refuses.
CoordinatorPlace place_of(const Context& context, std::string_view group) {
  const cluster::TopicHandle topic = context.image->topic(cluster::kOffsetsTopic);
  if (!topic || topic->partitions.empty()) return {ShardId{0}, 0};
  const std::int32_t partition =
      group::coordinator_partition(group, static_cast<std::int32_t>(topic->partitions.size()));
  return {context.home_of(*topic, PartitionId{partition}), partition};
}

GroupCaller caller_of(const ShardState& shard, const Request& request) {
  const Connections::Client client = shard.connections.client(request);
  // Kafka shows the host as Java prints an address.
  return {.version = request.version,
          .client_id = std::string(client.id),
          .client_host = "/" + std::string(client.host),
          .image = shard.context.image->version};
}

// Of all but those who join it counts only what they speak, and what they knew of topics.
GroupCaller version_of(const ShardState& shard, const Request& request) {
  GroupCaller caller;
  caller.version = request.version;
  caller.image = shard.context.image->version;
  return caller;
}

// What the question borrows of the block stays until it is answered.
template <class Asked>
void ask_coordinator(ShardState& shard, const Request& request, GroupCaller caller, Asked&& asked,
                     const session::BlockRef& block = {}) {
  using Response = typename wire::ApiOf<std::remove_cvref_t<Asked>>::Response;
  const CoordinatorPlace place = place_of(shard.context, asked.group_id);
  auto gather = shard.calls.begin(1, [&shard, request, block](std::vector<AnswerBody>& answers) {
    shard.connections.answer(request, std::get<Response>(std::get<group::ReplyBody>(answers.front())));
  });
  gather.ask(place.shard, 0, GroupCall{place.partition, std::move(caller), std::forward<Asked>(asked)});
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::JoinGroupRequest&& asked) {
  ask_coordinator(shard, request, caller_of(shard, request), std::move(asked));
}

void serve(ShardState& shard, const Request& request, wire::SyncGroupRequest&& asked) {
  ask_coordinator(shard, request, version_of(shard, request), std::move(asked));
}

void serve(ShardState& shard, const Request& request, wire::HeartbeatRequest&& asked,
           const session::BlockRef& block) {
  ask_coordinator(shard, request, version_of(shard, request), std::move(asked), block);
}

void serve(ShardState& shard, const Request& request, wire::LeaveGroupRequest&& asked) {
  ask_coordinator(shard, request, version_of(shard, request), std::move(asked));
}

namespace {

// What the coordinator answers, and what was refused before, in one list of topics. `key` tells topics apart.
template <class Topics, class Key>
void merge(Topics& answered, Topics& refused, Key key) {
  if (refused.empty()) return;
  std::map<decltype(key(answered.front())), std::size_t> places;
  for (std::size_t at = 0; at < answered.size(); ++at) places.try_emplace(key(answered[at]), at);
  for (auto& topic : refused) {
    const auto [place, is_new] = places.try_emplace(key(topic), answered.size());
    if (is_new) {
      answered.push_back(std::move(topic));
    } else {
      std::ranges::move(topic.partitions, std::back_inserter(answered[place->second].partitions));
    }
  }
}

// Offsets are committed for partitions that exist; all others are taken out and refused here, the rest goes on.
template <class Asked>
auto refuse_unknown_partitions(const cluster::MetadataImage& image, Asked& asked, bool by_id) {
  using Response = typename wire::ApiOf<Asked>::Response;
  Response refused;
  for (auto& topic : asked.topics) {
    const cluster::TopicHandle found = by_id ? image.topic(topic.topic_id) : image.topic(topic.name);
    typename decltype(refused.topics)::value_type rejected;
    std::erase_if(topic.partitions, [&](const auto& partition) {
      if (found && found->partition(PartitionId{partition.partition_index}) != nullptr) return false;
      rejected.partitions.push_back({.partition_index = partition.partition_index,
                                     .error_code = by_id && !found
                                                       ? wire::ErrorCode::unknown_topic_id
                                                       : wire::ErrorCode::unknown_topic_or_partition});
      return true;
    });
    if (!rejected.partitions.empty()) {
      rejected.name = topic.name;
      rejected.topic_id = topic.topic_id;
      refused.topics.push_back(std::move(rejected));
    }
    if (topic.partitions.empty()) continue;
    topic.name = found->name;
    topic.topic_id = found->id;
  }
  std::erase_if(asked.topics, [](const auto& topic) { return topic.partitions.empty(); });
  return refused;
}

// Clients of the versions before take COORDINATOR_LOAD_IN_PROGRESS for fatal.
constexpr std::int16_t kFirstTxnCommitThatLoads = 2;

void speak_to(wire::OffsetCommitResponse&, std::int16_t) {}
void speak_to(wire::TxnOffsetCommitResponse& response, std::int16_t version) {
  if (version >= kFirstTxnCommitThatLoads) return;
  for (auto& topic : response.topics) {
    for (auto& partition : topic.partitions) {
      if (partition.error_code == wire::ErrorCode::coordinator_load_in_progress) {
        partition.error_code = wire::ErrorCode::coordinator_not_available;
      }
    }
  }
}

// What the coordinator answers, and what was refused before, in one response. The names that the question
// bears lie in the block, or in the image.
template <class Asked>
void commit_offsets(ShardState& shard, const Request& request, Asked&& asked, const session::BlockRef& block,
                    bool by_id) {
  using Response = typename wire::ApiOf<std::remove_cvref_t<Asked>>::Response;
  const cluster::ImageHandle image = shard.context.image;
  Response refused = refuse_unknown_partitions(*image, asked, by_id);
  if (asked.topics.empty() && !refused.topics.empty()) return shard.connections.answer(request, refused);
  const CoordinatorPlace place = place_of(shard.context, asked.group_id);
  auto gather = shard.calls.begin(1, [&shard, request, by_id, block, image, refused = std::move(refused)](
                                         std::vector<AnswerBody>& answers) mutable {
    auto& response = std::get<Response>(std::get<group::ReplyBody>(answers.front()));
    merge(response.topics, refused.topics, [by_id](const auto& topic) {
      return by_id ? std::pair{std::string(), topic.topic_id} : std::pair{std::string(topic.name), Uuid{}};
    });
    speak_to(response, request.version);
    shard.connections.answer(request, response);
  });
  gather.ask(place.shard, 0, GroupCall{place.partition, version_of(shard, request), std::move(asked)});
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::OffsetCommitRequest&& asked,
           const session::BlockRef& block) {
  commit_offsets(shard, request, std::move(asked), block, request.version >= kFirstCommitWithIds);
}

void serve(ShardState& shard, const Request& request, wire::TxnOffsetCommitRequest&& asked,
           const session::BlockRef& block) {
  commit_offsets(shard, request, std::move(asked), block, request.version >= kFirstTxnCommitWithIds);
}

void serve(ShardState& shard, const Request& request, wire::OffsetDeleteRequest&& asked) {
  wire::OffsetDeleteResponse refused;
  for (auto& topic : asked.topics) {
    const cluster::TopicHandle found = shard.context.image->topic(topic.name);
    decltype(refused.topics)::value_type rejected{.name = topic.name, .partitions = {}};
    std::erase_if(topic.partitions, [&](const auto& partition) {
      if (found && found->partition(PartitionId{partition.partition_index}) != nullptr) return false;
      rejected.partitions.push_back({.partition_index = partition.partition_index,
                                     .error_code = wire::ErrorCode::unknown_topic_or_partition});
      return true;
    });
    if (!rejected.partitions.empty()) refused.topics.push_back(std::move(rejected));
  }
  std::erase_if(asked.topics, [](const auto& topic) { return topic.partitions.empty(); });
  const CoordinatorPlace place = place_of(shard.context, asked.group_id);
  auto gather = shard.calls.begin(
      1, [&shard, request, refused = std::move(refused)](std::vector<AnswerBody>& answers) mutable {
        auto& response = std::get<wire::OffsetDeleteResponse>(std::get<group::ReplyBody>(answers.front()));
        if (response.error_code == wire::ErrorCode::none) {
          merge(response.topics, refused.topics, [](const auto& topic) { return std::string(topic.name); });
        }
        shard.connections.answer(request, response);
      });
  gather.ask(place.shard, 0, GroupCall{place.partition, version_of(shard, request), std::move(asked)});
}

namespace {

// Topics that were asked for by an id that nobody knows have no name here; what they are answered is that,
// behind the others.
void refuse_unknown_ids(wire::OffsetFetchResponseGroup& group) {
  decltype(group.topics) known;
  decltype(group.topics) unknown;
  for (auto& topic : group.topics) (topic.name.empty() ? unknown : known).push_back(std::move(topic));
  for (auto& topic : unknown) {
    for (auto& partition : topic.partitions) {
      partition.committed_offset = -1;
      partition.error_code = wire::ErrorCode::unknown_topic_id;
    }
  }
  group.topics = std::move(known);
  std::ranges::move(unknown, std::back_inserter(group.topics));
}

// Clients of these versions know topics by their ids alone: of one without an id nothing can be told.
void fill_ids(const cluster::MetadataImage& image, wire::OffsetFetchResponseGroup& group) {
  std::erase_if(group.topics, [&image](auto& topic) {
    if (!topic.topic_id.is_zero()) return false;
    if (const cluster::TopicHandle found = image.topic(topic.name)) topic.topic_id = found->id;
    return topic.topic_id.is_zero();
  });
}

}  // namespace

namespace {

using FetchedGroup = wire::OffsetFetchRequestGroup;
using FetchedTopics = decltype(FetchedGroup::topics)::value_type;

// A topic by its name and its id, of which a version has one.
std::pair<std::string, Uuid> key_of(const FetchedTopics::value_type& topic) {
  return {topic.name, topic.topic_id};
}

// Each partition once, in the order of its first mention.
void take_once(FetchedTopics& topics) {
  if (topics.size() == 1 && topics.front().partition_indexes.size() == 1) return;
  std::map<std::pair<std::string, Uuid>, std::set<std::int32_t>> seen;
  std::erase_if(topics, [&](auto& topic) {
    std::set<std::int32_t>& of_topic = seen[key_of(topic)];
    const std::size_t repeated = std::erase_if(
        topic.partition_indexes, [&](std::int32_t index) { return !of_topic.insert(index).second; });
    return repeated > 0 && topic.partition_indexes.empty();
  });
}

// Each group once, with all that its mentions ask for: a committed offset may have long metadata, and a group
// many of them.
std::vector<FetchedGroup> each_group_once(std::vector<FetchedGroup> asked) {
  std::vector<FetchedGroup> groups;
  if (asked.size() <= 1) {
    groups = std::move(asked);
  } else {
    std::map<std::string, std::size_t> places;
    for (FetchedGroup& mention : asked) {
      const auto [place, is_new] = places.try_emplace(mention.group_id, groups.size());
      if (is_new) {
        groups.push_back(std::move(mention));
        continue;
      }
      FetchedGroup& group = groups[place->second];
      if (!mention.topics) group.topics.reset();
      if (group.topics) std::ranges::move(*mention.topics, std::back_inserter(*group.topics));
    }
  }
  for (FetchedGroup& group : groups) {
    if (group.topics) take_once(*group.topics);
  }
  return groups;
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::OffsetFetchRequest&& asked) {
  if (request.version < kFirstFetchWithGroups) asked.groups = {group::as_group_request(asked)};
  const cluster::MetadataImage& image = *shard.context.image;
  if (request.version >= kFirstFetchWithIds) {
    for (auto& group : asked.groups) {
      if (!group.topics) continue;
      for (auto& topic : *group.topics) {
        if (const cluster::TopicHandle found = image.topic(topic.topic_id)) topic.name = found->name;
      }
    }
  }
  std::vector<FetchedGroup> groups = each_group_once(std::exchange(asked.groups, {}));
  const auto stability = asked.require_stable ? group::GroupCoordinator::Stability::required
                                              : group::GroupCoordinator::Stability::as_committed;
  std::vector<bool> wants_all;
  if (request.version >= kFirstFetchWithIds) {
    for (const auto& group : groups) wants_all.push_back(!group.topics);
  }
  auto gather =
      shard.calls.begin(groups.size(), [&shard, request, asked = std::move(asked),
                                        wants_all = std::move(wants_all)](std::vector<AnswerBody>& answers) {
        std::vector<wire::OffsetFetchResponse::OffsetFetchResponseGroup> fetched;
        for (AnswerBody& answer : answers) {
          fetched.push_back(std::get<wire::OffsetFetchResponse::OffsetFetchResponseGroup>(std::move(answer)));
          if (request.version < kFirstFetchWithIds) continue;
          if (wants_all[fetched.size() - 1]) fill_ids(*shard.context.image, fetched.back());
          refuse_unknown_ids(fetched.back());
        }
        shard.connections.answer(request,
                                 group::merge_offset_fetch(asked, request.version, std::move(fetched)));
      });
  std::uint32_t part = 0;
  for (auto& group : groups) {
    const CoordinatorPlace place = place_of(shard.context, group.group_id);
    gather.ask(place.shard, part++, OffsetFetchCall{place.partition, std::move(group), stability});
  }
}

void serve(ShardState& shard, const Request& request, wire::ListGroupsRequest&& asked) {
  const std::uint32_t shards = shard.context.options.shards;
  auto gather = shard.calls.begin(shards, [&shard, request](std::vector<AnswerBody>& answers) {
    wire::ListGroupsResponse response;
    for (AnswerBody& answer : answers) {
      auto& listed = std::get<ListGroupsAnswer>(answer);
      if (listed.error != wire::ErrorCode::none) response.error_code = listed.error;
      std::ranges::move(listed.groups, std::back_inserter(response.groups));
    }
    if (response.error_code != wire::ErrorCode::none) response.groups.clear();
    shard.connections.answer(request, response);
  });
  for (std::uint32_t at = 0; at < shards; ++at) gather.ask(ShardId{at}, at, ListGroupsCall{asked});
}

void serve(ShardState& shard, const Request& request, wire::DescribeGroupsRequest&& asked) {
  const bool with_operations = asked.include_authorized_operations;
  const std::vector<std::string> ids = each_once(std::move(asked.groups));
  auto gather = shard.calls.begin(ids.size(), [&shard, request,
                                               with_operations](std::vector<AnswerBody>& answers) {
    wire::DescribeGroupsResponse response;
    for (AnswerBody& answer : answers) {
      response.groups.push_back(std::get<wire::DescribeGroupsResponse::DescribedGroup>(std::move(answer)));
      if (with_operations && response.groups.back().error_code == wire::ErrorCode::none) {
        response.groups.back().authorized_operations = authorized_operations(wire::Resource::group);
      }
    }
    shard.connections.answer(request, response);
  });
  std::uint32_t part = 0;
  for (const std::string& group : ids) {
    const CoordinatorPlace place = place_of(shard.context, group);
    gather.ask(place.shard, part++, DescribeGroupCall{place.partition, group, request.version});
  }
}

void serve(ShardState& shard, const Request& request, wire::DeleteGroupsRequest&& asked) {
  const std::vector<std::string> ids = each_once(std::move(asked.groups_names));
  auto gather = shard.calls.begin(ids.size(), [&shard, request](std::vector<AnswerBody>& answers) {
    wire::DeleteGroupsResponse response;
    for (AnswerBody& answer : answers) {
      response.results.push_back(std::get<wire::DeleteGroupsResponse::DeletableGroupResult>(
          std::get<group::ReplyBody>(std::move(answer))));
    }
    shard.connections.answer(request, response);
  });
  std::uint32_t part = 0;
  for (const std::string& group : ids) {
    const CoordinatorPlace place = place_of(shard.context, group);
    gather.ask(place.shard, part++, DeleteGroupCall{place.partition, group, version_of(shard, request)});
  }
}

}  // namespace tailwater::node
