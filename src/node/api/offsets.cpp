// ListOffsets, OffsetForLeaderEpoch, DeleteRecords, DescribeLogDirs, AlterReplicaLogDirs: one question per
// partition (or per shard) to the shards that own them, one answer when all are back.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "node/api/handlers.hpp"
#include "node/shard_state.hpp"

namespace tailwater::node {

namespace {

// Asks the shard of each partition of a request, and answers when all answers are back. `ask(topic, wanted,
// item)` gives the question, or nothing where the item says all by itself; `fill(answer, item)` takes the
// answer. REQUIRES: the response has the topics of the request, without their partitions.
template <class Response, class Topics, class Ask, class Fill>
void ask_partitions(ShardState& shard, const Request& request, Response response, const Topics& topics,
                    Ask ask, Fill fill) {
  const Context& context = shard.context;
  std::vector<std::pair<ShardId, CallBody>> questions;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // of the questions' items: topic, partition
  for (std::size_t at = 0; at < topics.size(); ++at) {
    response.topics[at].partitions.resize(topics[at].partitions.size());
    for (std::size_t index = 0; index < topics[at].partitions.size(); ++index) {
      const auto question =
          ask(topics[at], topics[at].partitions[index], response.topics[at].partitions[index]);
      if (!question) continue;
      const cluster::TopicHandle topic = context.image->topic(question->topic_id);
      questions.emplace_back(context.home_of(*topic, question->partition), *question);
      places.emplace_back(at, index);
    }
  }
  const std::size_t parts = questions.size();
  Calls::Gather gather =
      shard.calls.begin(parts, [&shard, request, response = std::move(response), places = std::move(places),
                                fill](std::vector<AnswerBody>& answers) mutable {
        for (std::size_t part = 0; part < answers.size(); ++part) {
          const auto [at, index] = places[part];
          auto& item = response.topics[at].partitions[index];
          const auto& answer = std::get<PartitionAnswer>(answers[part]);
          item.error_code = answer.error;
          fill(answer, item);
        }
        shard.connections.answer(request, response);
      });
  std::uint32_t part = 0;
  for (auto& [home, question] : questions) gather.ask(home, part++, std::move(question));
}

// The topic of that partition; null, and the error is said, if there is none.
cluster::TopicHandle existing(const ShardState& shard, const std::string& name, std::int32_t partition,
                              wire::ErrorCode& error) {
  cluster::TopicHandle topic = shard.context.image->topic(name);
  if (topic && topic->partition(PartitionId{partition}) != nullptr) return topic;
  error = wire::ErrorCode::unknown_topic_or_partition;
  return {};
}

}  // namespace

namespace {

// Each special timestamp came with a version of ListOffsets; an older one does not have it.
bool may_ask_for(std::int64_t timestamp, std::int16_t version) {
  switch (timestamp) {
    case special_timestamp::kLatest:
    case special_timestamp::kEarliest:
      return true;
    case special_timestamp::kLargest:
      return version >= 7;
    case special_timestamp::kEarliestLocal:
      return version >= 8;
    case special_timestamp::kLatestTiered:
      return version >= 9;
    case special_timestamp::kEarliestPendingUpload:
      return version >= 11;
    default:
      return timestamp >= 0;
  }
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::ListOffsetsRequest&& asked) {
  wire::ListOffsetsResponse response;
  std::map<std::pair<std::string_view, std::int32_t>, int> times_asked;
  for (const auto& topic : asked.topics) {
    response.topics.emplace_back().name = topic.name;
    for (const auto& wanted : topic.partitions) ++times_asked[{topic.name, wanted.partition_index}];
  }
  ask_partitions(
      shard, request, std::move(response), asked.topics,
      [&](const auto& of, const auto& wanted, auto& item) -> std::optional<OffsetQuery> {
        item.partition_index = wanted.partition_index;
        if (times_asked[{of.name, wanted.partition_index}] > 1) {
          item.error_code = wire::ErrorCode::invalid_request;
          return std::nullopt;
        }
        if (!may_ask_for(wanted.timestamp, request.version)) {
          item.error_code = wire::ErrorCode::unsupported_version;
          return std::nullopt;
        }
        const auto topic = existing(shard, of.name, wanted.partition_index, item.error_code);
        if (!topic) return std::nullopt;
        return OffsetQuery{.topic_id = topic->id,
                           .partition = PartitionId{wanted.partition_index},
                           .timestamp = wanted.timestamp,
                           .current_leader_epoch = wanted.current_leader_epoch,
                           .read_committed = asked.isolation_level == 1};
      },
      [](const PartitionAnswer& answer, auto& item) {
        item.timestamp = answer.timestamp;
        item.offset = answer.offset;
        item.leader_epoch = answer.leader_epoch;
      });
}

void serve(ShardState& shard, const Request& request, wire::OffsetForLeaderEpochRequest&& asked) {
  wire::OffsetForLeaderEpochResponse response;
  for (const auto& topic : asked.topics) response.topics.emplace_back().topic = topic.topic;
  ask_partitions(
      shard, request, std::move(response), asked.topics,
      [&](const auto& of, const auto& wanted, auto& item) -> std::optional<EpochQuery> {
        item.partition = wanted.partition;
        const auto topic = existing(shard, of.topic, wanted.partition, item.error_code);
        if (!topic) return std::nullopt;
        return EpochQuery{.topic_id = topic->id,
                          .partition = PartitionId{wanted.partition},
                          .current_leader_epoch = wanted.current_leader_epoch,
                          .leader_epoch = wanted.leader_epoch};
      },
      [](const PartitionAnswer& answer, auto& item) {
        item.leader_epoch = answer.leader_epoch;
        item.end_offset = answer.offset;
      });
}

void serve(ShardState& shard, const Request& request, wire::DeleteRecordsRequest&& asked) {
  constexpr std::int64_t kNoLowWatermark = -1;
  wire::DeleteRecordsResponse response;
  for (const auto& topic : asked.topics) response.topics.emplace_back().name = topic.name;
  ask_partitions(
      shard, request, std::move(response), asked.topics,
      [&](const auto& of, const auto& wanted, auto& item) -> std::optional<DeleteRecordsQuery> {
        item.partition_index = wanted.partition_index;
        item.low_watermark = kNoLowWatermark;
        const auto topic = existing(shard, of.name, wanted.partition_index, item.error_code);
        if (topic && topic->is_internal()) item.error_code = wire::ErrorCode::invalid_topic_exception;
        if (!topic || topic->is_internal()) return std::nullopt;
        return DeleteRecordsQuery{
            .topic_id = topic->id, .partition = PartitionId{wanted.partition_index}, .before = wanted.offset};
      },
      [](const PartitionAnswer& answer, auto& item) { item.low_watermark = answer.offset; });
}

namespace {

using WantedPartitions = std::set<std::pair<std::string_view, std::int32_t>>;

// What a request names; nullopt: all.
std::optional<WantedPartitions> wanted_partitions(const wire::DescribeLogDirsRequest& asked) {
  if (!asked.topics) return std::nullopt;
  WantedPartitions wanted;
  for (const auto& topic : *asked.topics) {
    for (const std::int32_t index : topic.partitions) wanted.emplace(topic.topic, index);
  }
  return wanted;
}

wire::DescribeLogDirsResponse log_dirs_response(ShardState& shard, const wire::DescribeLogDirsRequest& asked,
                                                const std::vector<AnswerBody>& answers) {
  const Context& context = shard.context;
  const auto wanted = wanted_partitions(asked);
  wire::DescribeLogDirsResponse response;
  std::vector<std::map<std::string, std::map<std::int32_t, std::uint64_t>>> sizes(
      context.options.log_dirs.size());
  for (const AnswerBody& answer : answers) {
    for (const LogSize& log : std::get<LogSizesAnswer>(answer).logs) {
      const cluster::TopicHandle topic = context.image->topic(log.topic_id);
      if (!topic || log.dir.value >= sizes.size()) continue;
      if (wanted && !wanted->contains({topic->name, log.partition.value})) continue;
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
  if (place == places.end()) return wire::ErrorCode::unknown_topic_or_partition;
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
