// Goal: questions about offsets, epochs and the records' beginning are answered as by Kafka; what was stored
// is there after a clean restart.
// Method: one request after the other over a simulated broker, with one and with three shards.
#include <map>

#include "sim/test_world.hpp"
#include "wire/api/delete_records.hpp"
#include "wire/api/delete_topics.hpp"
#include "wire/api/describe_configs.hpp"
#include "wire/api/list_offsets.hpp"
#include "wire/api/offset_commit.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/api/offset_for_leader_epoch.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

constexpr std::int64_t kTime = 1'700'000'000'000;

wire::ListOffsetsResponseListOffsetsPartitionResponse list(Line& line, std::string_view topic,
                                                           std::int32_t partition, std::int64_t timestamp,
                                                           std::int16_t version = 9) {
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  request.topics.push_back(
      {.name = std::string(topic), .partitions = {{.partition_index = partition, .timestamp = timestamp}}});
  return line.ask(version, request).topics.at(0).partitions.at(0);
}

class Offsets : public OverShards {
 protected:
  wire::DeleteRecordsResponseDeleteRecordsPartitionResult cut(std::string_view topic, std::int32_t partition,
                                                              std::int64_t before) {
    wire::DeleteRecordsRequest request;
    request.topics.push_back(
        {.name = std::string(topic), .partitions = {{.partition_index = partition, .offset = before}}});
    request.timeout_ms = 10'000;
    return line.ask(2, request).topics.at(0).partitions.at(0);
  }
};

TEST_P(Offsets, first_and_last) {
  create_topic(line, "t", 2);
  EXPECT_EQ(list(line, "t", 0, -1).offset, 0);
  EXPECT_EQ(list(line, "t", 0, -2).offset, 0);
  for (const std::int64_t timestamp : {-1, -2, -4}) EXPECT_EQ(list(line, "t", 0, timestamp).leader_epoch, 0);
  produce(line, "t", 0, batch_of(5, kTime));
  for (const std::int64_t timestamp : {-1, -2, -4}) EXPECT_EQ(list(line, "t", 0, timestamp).leader_epoch, 0);
  EXPECT_EQ(list(line, "t", 0, -1).offset, 5);
  EXPECT_EQ(list(line, "t", 0, -2).offset, 0);
  EXPECT_EQ(list(line, "t", 0, -4).offset, 0) << "earliest local";
  EXPECT_EQ(list(line, "t", 1, -1).offset, 0);
  EXPECT_EQ(list(line, "t", 0, -1).timestamp, -1);
  EXPECT_EQ(list(line, "t", 9, -1).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(list(line, "nope", 0, -1).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_P(Offsets, by_timestamp) {
  create_topic(line, "t", 1);
  EXPECT_EQ(list(line, "t", 0, kTime).offset, -1) << "nothing is there";
  produce(line, "t", 0, batch_of(5, kTime));        // kTime .. kTime + 4
  produce(line, "t", 0, batch_of(5, kTime + 100));  // kTime + 100 .. kTime + 104
  produce(line, "t", 0, batch_of(5, kTime + 50));   // goes back
  const auto at = [&](std::int64_t timestamp) { return list(line, "t", 0, timestamp); };
  EXPECT_EQ(at(0).offset, 0);
  EXPECT_EQ(at(kTime).offset, 0);
  EXPECT_EQ(at(kTime + 3).offset, 3);
  EXPECT_EQ(at(kTime + 3).timestamp, kTime + 3);
  EXPECT_EQ(at(kTime + 5).offset, 5);
  EXPECT_EQ(at(kTime + 5).timestamp, kTime + 100);
  EXPECT_EQ(at(kTime + 104).offset, 9);
  EXPECT_EQ(at(kTime + 105).offset, -1);
  EXPECT_EQ(at(kTime + 105).error_code, ErrorCode::none);
  const auto largest = at(-3);
  EXPECT_EQ(largest.offset, 9);
  EXPECT_EQ(largest.timestamp, kTime + 104);
}

TEST_P(Offsets, special_timestamps_came_one_by_one) {
  create_topic(line, "t", 1);
  produce(line, "t", 0, batch_of(5, kTime));
  const std::map<std::int64_t, std::int16_t> first_version = {{-3, 7}, {-4, 8}, {-5, 9}, {-6, 11}, {-7, 12}};
  for (const auto& [timestamp, first] : first_version) {
    for (std::int16_t version = 1; version <= 11; ++version) {
      const auto answer = list(line, "t", 0, timestamp, version);
      EXPECT_EQ(answer.error_code, version < first ? ErrorCode::unsupported_version : ErrorCode::none)
          << timestamp << " in version " << version;
      if (version < first) EXPECT_EQ(answer.offset, -1);
    }
  }
  EXPECT_EQ(list(line, "nope", 0, -3, 6).error_code, ErrorCode::unsupported_version);
}

TEST_P(Offsets, of_one_partition_only_once) {
  create_topic(line, "t", 2);
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  request.topics.push_back({.name = "t",
                            .partitions = {{.partition_index = 0, .timestamp = -1},
                                           {.partition_index = 1, .timestamp = -1},
                                           {.partition_index = 0, .timestamp = -2}}});
  const auto partitions = line.ask(9, request).topics.at(0).partitions;
  ASSERT_EQ(partitions.size(), 3U);
  EXPECT_EQ(partitions[0].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(partitions[1].error_code, ErrorCode::none);
  EXPECT_EQ(partitions[2].error_code, ErrorCode::invalid_request);
}

TEST_P(Offsets, of_many_partitions_at_once) {
  create_topic(line, "t", 6);
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  request.topics.push_back({.name = "t", .partitions = {}});
  for (std::int32_t partition = 0; partition < 7; ++partition) {
    if (partition < 6) produce(line, "t", partition, batch_of(partition + 1, kTime));
    request.topics[0].partitions.push_back({.partition_index = partition, .timestamp = -1});
  }
  const auto partitions = line.ask(9, request).topics.at(0).partitions;
  ASSERT_EQ(partitions.size(), 7U);
  for (std::int32_t partition = 0; partition < 6; ++partition) {
    EXPECT_EQ(partitions[static_cast<std::size_t>(partition)].partition_index, partition);
    EXPECT_EQ(partitions[static_cast<std::size_t>(partition)].offset, partition + 1);
  }
  EXPECT_EQ(partitions[6].error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_P(Offsets, of_leader_epochs) {
  create_topic(line, "t", 1);
  produce(line, "t", 0, batch_of(5, kTime));
  const auto epoch = line.ask(13, wire::MetadataRequest{}).topics.at(0).partitions.at(0).leader_epoch;
  const auto ask = [&](std::int32_t partition, std::int32_t current, std::int32_t wanted) {
    wire::OffsetForLeaderEpochRequest request;
    request.replica_id = -1;
    request.topics.push_back(
        {.topic = "t",
         .partitions = {{.partition = partition, .current_leader_epoch = current, .leader_epoch = wanted}}});
    return line.ask(4, request).topics.at(0).partitions.at(0);
  };
  EXPECT_EQ(ask(0, epoch, epoch).end_offset, 5);
  EXPECT_EQ(ask(0, epoch, epoch).leader_epoch, epoch);
  EXPECT_EQ(ask(0, epoch, epoch + 1).end_offset, -1);
  EXPECT_EQ(ask(0, epoch + 1, epoch).error_code, ErrorCode::unknown_leader_epoch);
  EXPECT_EQ(ask(3, epoch, epoch).error_code, ErrorCode::unknown_topic_or_partition);
}

// --- DeleteRecords

TEST_P(Offsets, records_are_deleted_from_the_front) {
  create_topic(line, "t", 1);
  for (int count = 0; count < 4; ++count) produce(line, "t", 0, batch_of(5, kTime));
  auto answer = cut("t", 0, 7);
  EXPECT_EQ(answer.error_code, ErrorCode::none);
  EXPECT_EQ(answer.low_watermark, 7);
  EXPECT_EQ(list(line, "t", 0, -2).offset, 7);
  EXPECT_EQ(fetch(line, "t", 0, 6).error_code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(fetch(line, "t", 0, 7).log_start_offset, 7);
  EXPECT_EQ(cut("t", 0, 3).low_watermark, 7) << "never back";
  EXPECT_EQ(cut("t", 0, -1).low_watermark, 20) << "all";
  EXPECT_EQ(cut("t", 0, 21).error_code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(cut("t", 0, -5).error_code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(cut("t", 3, 1).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(produce(line, "t", 0, batch_of(1, kTime)).base_offset, 20);
}

TEST_P(Offsets, a_deletion_is_answered_when_it_is_durable) {
  create_topic(line, "t", 1);
  produce(line, "t", 0, batch_of(5, kTime));
  world.disk.set_write_time(Duration::from_ms(2'000));
  wire::DeleteRecordsRequest request;
  request.topics.push_back({.name = "t", .partitions = {{.partition_index = 0, .offset = 3}}});
  const std::int32_t asked = line.post(2, request);
  world.pass(Duration::from_ms(1'500));
  EXPECT_FALSE(line.whole_frame()) << "told before it was on the disk";
  const auto answer = line.take<wire::DeleteRecordsRequest>(2, asked);
  EXPECT_EQ(answer.topics.at(0).partitions.at(0).low_watermark, 3);
  // What is deleted already is answered at once.
  EXPECT_EQ(cut("t", 0, 3).low_watermark, 3);
}

TEST_P(Offsets, a_deletion_of_a_topic_that_goes_away_is_answered) {
  create_topic(line, "t", 1);
  produce(line, "t", 0, batch_of(5, kTime));
  world.disk.set_write_time(Duration::from_ms(2'000));
  wire::DeleteRecordsRequest request;
  request.topics.push_back({.name = "t", .partitions = {{.partition_index = 0, .offset = 3}}});
  const std::int32_t asked = line.post(2, request);
  world.pass(Duration::from_ms(500));
  Line other(world, "other");
  wire::DeleteTopicsRequest removal;
  removal.topics.push_back({.name = "t", .topic_id = {}});
  EXPECT_EQ(other.ask(6, removal).responses.at(0).error_code, ErrorCode::none);
  const auto answer = line.take<wire::DeleteRecordsRequest>(2, asked);
  EXPECT_EQ(answer.topics.at(0).partitions.at(0).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_P(Offsets, records_of_compacted_topics_stay) {
  create_topic(line, "t", 1, {{"cleanup.policy", "compact"}});
  EXPECT_EQ(cut("t", 0, 0).error_code, ErrorCode::policy_violation);
}

// --- restart

TEST_P(Offsets, everything_is_there_after_a_clean_restart) {
  const Uuid id = create_topic(line, "t", 6, {{"retention.ms", "-1"}});
  create_topic(line, "u", 1);
  make_coordinators(line);
  for (std::int32_t partition = 0; partition < 6; ++partition) {
    for (std::int32_t count = 0; count <= partition; ++count) {
      EXPECT_EQ(produce(line, "t", partition, batch_of(10, kTime)).error_code, ErrorCode::none);
    }
  }
  cut("t", 5, 15);
  wire::OffsetCommitRequest commit;
  commit.group_id = "loner";
  commit.topics.push_back(
      {.name = "t", .topic_id = {}, .partitions = {{.partition_index = 3, .committed_offset = 21}}});
  EXPECT_EQ(line.ask(8, commit).topics.at(0).partitions.at(0).error_code, ErrorCode::none);

  for (int restart = 0; restart < 2; ++restart) {
    world.stop();
    world.start();
    Line after(world);
    const auto topics = after.ask(13, wire::MetadataRequest{}).topics;
    ASSERT_EQ(topics.size(), 3U);
    for (std::int32_t partition = 0; partition < 6; ++partition) {
      EXPECT_EQ(list(after, "t", partition, -1).offset, 10 * (partition + 1) + restart);
      const auto part = fetch(after, "t", partition, partition == 5 ? 15 : 0);
      EXPECT_EQ(part.error_code, ErrorCode::none);
      EXPECT_GT(part.records.value_or(Bytes{}).size(), 0U);
      EXPECT_EQ(produce(after, "t", partition, batch_of(1, kTime)).base_offset,
                10 * (partition + 1) + restart);
    }
    EXPECT_EQ(list(after, "t", 5, -2).offset, 15);
    EXPECT_EQ(list(after, "u", 0, -1).offset, 0);
    const auto again = after.ask(7, creation("t", 1)).topics.at(0);
    EXPECT_EQ(again.error_code, ErrorCode::topic_already_exists);
    wire::DescribeConfigsRequest configs;
    configs.resources.push_back(
        {.resource_type = 2, .resource_name = "t", .configuration_keys = {{"retention.ms"}}});
    EXPECT_EQ(after.ask(4, configs).results.at(0).configs.at(0).value, "-1");
    wire::MetadataRequest by_id;
    by_id.topics.emplace().push_back({.topic_id = id, .name = std::nullopt});
    EXPECT_EQ(after.ask(13, by_id).topics.at(0).name, "t");

    wire::OffsetFetchRequest committed;
    committed.group_id = "loner";
    committed.topics.emplace().push_back({.name = "t", .partition_indexes = {3}});
    std::int64_t offset = -1;
    EXPECT_TRUE(world.until([&] {  // while the coordinator loads, clients ask again
      const auto response = after.ask(7, committed);
      if (response.error_code != ErrorCode::none) return false;
      offset = response.topics.at(0).partitions.at(0).committed_offset;
      return true;
    }));
    EXPECT_EQ(offset, 21);
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, Offsets, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
