// ListOffsets, OffsetForLeaderEpoch, DeleteRecords, DescribeLogDirs, AlterReplicaLogDirs: one question per
// partition (or per shard) to the shards that own them, one answer when all are back.
#include <algorithm>
#include <map>
#include <optional>

#include "node/api/handlers.hpp"
#include "node/shard_state.hpp"

namespace tailwater::node {

namespace {

// The questions of one request and where their answers belong.
template <class Response>
struct Fan {
  Response response;
  // By part: the item that the answer fills, as (topic index, partition index).
  std::vector<std::pair<std::size_t, std::size_t>> places;
};

// Walks topics and partitions of a request of the common shape, making an item for each; `question` gives
// what to ask the partition's shard, or nothing if the item is already answered.
template <class Query, class Topics, class Question>
std::vector<std::pair<ShardId, Query>> questions(const Context& context, const Topics& topics,
                                                 Question question) {
  std::vector<std::pair<ShardId, Query>> asked;
  for (std::size_t at = 0; at < topics.size(); ++at) {
    for (std::size_t index = 0; index < topics[at].partitions.size(); ++index) {
      std::optional<Query> query = question(at, index);
      if (!query) continue;
      const cluster::TopicHandle topic = context.image->topic(query->topic_id);
      asked.emplace_back(context.home_of(*topic, query->partition), *query);
    }
  }
  return asked;
}

template <class Query>
void ask_all(Calls::Gather gather, std::vector<std::pair<ShardId, Query>>& asked) {
  std::uint32_t part = 0;
  for (auto& [shard, query] : asked) gather.ask(shard, part++, query);
}

wire::ErrorCode existence(const cluster::TopicHandle& topic, std::int32_t partition) {
  return topic && topic->partition(PartitionId{partition}) != nullptr
             ? wire::ErrorCode::none
             : wire::ErrorCode::unknown_topic_or_partition;
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::ListOffsetsRequest&& asked) {
  auto fan = std::make_unique<Fan<wire::ListOffsetsResponse>>();
  const Context& context = shard.context;
  for (const auto& topic : asked.topics) {
    auto& item = fan->response.topics.emplace_back();
    item.name = topic.name;
    item.partitions.resize(topic.partitions.size());
  }
  auto queries = questions<OffsetQuery>(
      context, asked.topics, [&](std::size_t at, std::size_t index) -> std::optional<OffsetQuery> {
        const auto& wanted = asked.topics[at].partitions[index];
        auto& item = fan->response.topics[at].partitions[index];
        item.partition_index = wanted.partition_index;
        const cluster::TopicHandle topic = context.image->topic(asked.topics[at].name);
        item.error_code = existence(topic, wanted.partition_index);
        if (item.error_code != wire::ErrorCode::none) return std::nullopt;
        fan->places.emplace_back(at, index);
        return OffsetQuery{.topic_id = topic->id,
                           .partition = PartitionId{wanted.partition_index},
                           .timestamp = wanted.timestamp,
                           .current_leader_epoch = wanted.current_leader_epoch,
                           .read_committed = asked.isolation_level == 1};
      });
  const std::size_t parts = queries.size();
  ask_all(shard.calls.begin(parts,
                            [&shard, request, fan = std::move(fan)](std::vector<AnswerBody>& answers) {
                              for (std::size_t part = 0; part < answers.size(); ++part) {
                                const auto& answer = std::get<PartitionAnswer>(answers[part]);
                                const auto [at, index] = fan->places[part];
                                auto& item = fan->response.topics[at].partitions[index];
                                item.error_code = answer.error;
                                item.timestamp = answer.timestamp;
                                item.offset = answer.offset;
                                item.leader_epoch = answer.leader_epoch;
                              }
                              shard.connections.answer(request, fan->response);
                            }),
          queries);
}

void serve(ShardState& shard, const Request& request, wire::OffsetForLeaderEpochRequest&& asked) {
  auto fan = std::make_unique<Fan<wire::OffsetForLeaderEpochResponse>>();
  const Context& context = shard.context;
  for (const auto& topic : asked.topics) {
    auto& item = fan->response.topics.emplace_back();
    item.topic = topic.topic;
    item.partitions.resize(topic.partitions.size());
  }
  auto queries = questions<EpochQuery>(
      context, asked.topics, [&](std::size_t at, std::size_t index) -> std::optional<EpochQuery> {
        const auto& wanted = asked.topics[at].partitions[index];
        auto& item = fan->response.topics[at].partitions[index];
        item.partition = wanted.partition;
        const cluster::TopicHandle topic = context.image->topic(asked.topics[at].topic);
        item.error_code = existence(topic, wanted.partition);
        if (item.error_code != wire::ErrorCode::none) return std::nullopt;
        fan->places.emplace_back(at, index);
        return EpochQuery{.topic_id = topic->id,
                          .partition = PartitionId{wanted.partition},
                          .current_leader_epoch = wanted.current_leader_epoch,
                          .leader_epoch = wanted.leader_epoch};
      });
  const std::size_t parts = queries.size();
  ask_all(shard.calls.begin(parts,
                            [&shard, request, fan = std::move(fan)](std::vector<AnswerBody>& answers) {
                              for (std::size_t part = 0; part < answers.size(); ++part) {
                                const auto& answer = std::get<PartitionAnswer>(answers[part]);
                                const auto [at, index] = fan->places[part];
                                auto& item = fan->response.topics[at].partitions[index];
                                item.error_code = answer.error;
                                item.leader_epoch = answer.leader_epoch;
                                item.end_offset = answer.offset;
                              }
                              shard.connections.answer(request, fan->response);
                            }),
          queries);
}

void serve(ShardState& shard, const Request& request, wire::DeleteRecordsRequest&& asked) {
  auto fan = std::make_unique<Fan<wire::DeleteRecordsResponse>>();
  const Context& context = shard.context;
  constexpr std::int64_t kNoLowWatermark = -1;
  for (const auto& topic : asked.topics) {
    auto& item = fan->response.topics.emplace_back();
    item.name = topic.name;
    item.partitions.resize(topic.partitions.size());
  }
  auto queries = questions<DeleteRecordsQuery>(
      context, asked.topics, [&](std::size_t at, std::size_t index) -> std::optional<DeleteRecordsQuery> {
        const auto& wanted = asked.topics[at].partitions[index];
        auto& item = fan->response.topics[at].partitions[index];
        item.partition_index = wanted.partition_index;
        item.low_watermark = kNoLowWatermark;
        const cluster::TopicHandle topic = context.image->topic(asked.topics[at].name);
        item.error_code = existence(topic, wanted.partition_index);
        if (item.error_code == wire::ErrorCode::none && topic->is_internal()) {
          item.error_code = wire::ErrorCode::invalid_topic_exception;
        }
        if (item.error_code != wire::ErrorCode::none) return std::nullopt;
        fan->places.emplace_back(at, index);
        return DeleteRecordsQuery{
            .topic_id = topic->id, .partition = PartitionId{wanted.partition_index}, .before = wanted.offset};
      });
  const std::size_t parts = queries.size();
  ask_all(shard.calls.begin(parts,
                            [&shard, request, fan = std::move(fan)](std::vector<AnswerBody>& answers) {
                              for (std::size_t part = 0; part < answers.size(); ++part) {
                                const auto& answer = std::get<PartitionAnswer>(answers[part]);
                                const auto [at, index] = fan->places[part];
                                auto& item = fan->response.topics[at].partitions[index];
                                item.error_code = answer.error;
                                item.low_watermark = answer.offset;
                              }
                              shard.connections.answer(request, fan->response);
                            }),
          queries);
}

namespace {

bool is_wanted(const wire::DescribeLogDirsRequest& asked, const cluster::Topic& topic,
               std::int32_t partition) {
  if (!asked.topics) return true;
  for (const auto& wanted : *asked.topics) {
    if (wanted.topic != topic.name) continue;
    for (const std::int32_t index : wanted.partitions) {
      if (index == partition) return true;
    }
  }
  return false;
}

wire::DescribeLogDirsResponse log_dirs_response(ShardState& shard, const wire::DescribeLogDirsRequest& asked,
                                                const std::vector<AnswerBody>& answers) {
  const Context& context = shard.context;
  wire::DescribeLogDirsResponse response;
  std::vector<std::map<std::string, std::map<std::int32_t, std::uint64_t>>> sizes(
      context.options.log_dirs.size());
  for (const AnswerBody& answer : answers) {
    for (const LogSize& log : std::get<LogSizesAnswer>(answer).logs) {
      const cluster::TopicHandle topic = context.image->topic(log.topic_id);
      if (!topic || log.dir.value >= sizes.size() || !is_wanted(asked, *topic, log.partition.value)) continue;
      sizes[log.dir.value][topic->name][log.partition.value] = log.bytes;
    }
  }
  for (std::size_t dir = 0; dir < sizes.size(); ++dir) {
    auto& result = response.results.emplace_back();
    result.log_dir = context.options.log_dirs[dir];
    const auto& report = shard.partitions.storage().report(DirId{static_cast<std::uint32_t>(dir)});
    if (report.state == log::DirState::offline) result.error_code = wire::ErrorCode::kafka_storage_error;
    for (const auto& [name, partitions] : sizes[dir]) {
      auto& topic = result.topics.emplace_back();
      topic.name = name;
      for (const auto& [index, bytes] : partitions) {
        topic.partitions.push_back(
            {.partition_index = index, .partition_size = static_cast<std::int64_t>(bytes)});
      }
    }
  }
  return response;
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::DescribeLogDirsRequest&& asked) {
  const std::uint32_t shards = shard.context.options.shards;
  auto gather = shard.calls.begin(
      shards, [&shard, request, asked = std::move(asked)](std::vector<AnswerBody>& answers) {
        shard.connections.answer(request, log_dirs_response(shard, asked, answers));
      });
  for (std::uint32_t at = 0; at < shards; ++at) gather.ask(ShardId{at}, at, LogSizesQuery{});
}

namespace {

using LogPlaces = std::map<std::pair<std::string, std::int32_t>, DirId>;

LogPlaces places_of(const Context& context, const std::vector<AnswerBody>& answers) {
  LogPlaces places;
  for (const AnswerBody& answer : answers) {
    for (const LogSize& log : std::get<LogSizesAnswer>(answer).logs) {
      if (const cluster::TopicHandle topic = context.image->topic(log.topic_id))
        places.emplace(std::pair{topic->name, log.partition.value}, log.dir);
    }
  }
  return places;
}

// A partition that is where it is wanted needs nothing; to move one to another directory is not built.
wire::ErrorCode check_move(ShardState& shard, const LogPlaces& places, const std::string& path,
                           const std::string& topic, std::int32_t partition) {
  const std::vector<std::string>& dirs = shard.context.options.log_dirs;
  const auto dir = std::ranges::find(dirs, path);
  if (dir == dirs.end()) return wire::ErrorCode::log_dir_not_found;
  const DirId id{static_cast<std::uint32_t>(dir - dirs.begin())};
  if (shard.partitions.storage().report(id).state == log::DirState::offline)
    return wire::ErrorCode::kafka_storage_error;
  const auto place = places.find({topic, partition});
  if (place == places.end()) return wire::ErrorCode::replica_not_available;
  return place->second == id ? wire::ErrorCode::none : wire::ErrorCode::unsupported_version;
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::AlterReplicaLogDirsRequest&& asked) {
  const std::uint32_t shards = shard.context.options.shards;
  auto gather = shard.calls.begin(shards, [&shard, request,
                                           asked = std::move(asked)](std::vector<AnswerBody>& answers) {
    const LogPlaces places = places_of(shard.context, answers);
    wire::AlterReplicaLogDirsResponse response;
    for (const auto& dir : asked.dirs) {
      for (const auto& topic : dir.topics) {
        auto& result = response.results.emplace_back();
        result.topic_name = topic.name;
        for (const std::int32_t index : topic.partitions) {
          result.partitions.push_back({.partition_index = index,
                                       .error_code = check_move(shard, places, dir.path, topic.name, index)});
        }
      }
    }
    shard.connections.answer(request, response);
  });
  for (std::uint32_t at = 0; at < shards; ++at) gather.ask(ShardId{at}, at, LogSizesQuery{});
}

}  // namespace tailwater::node
