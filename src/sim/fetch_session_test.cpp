// Goal: a fetch session costs what changed, not what is subscribed, and tells all the same everything that
// changed (KIP-227), wherever the partitions live.
// Method: a session over many partitions of a simulated broker, with one and with three shards; the shards
// count the partitions that fetches looked at.
#include "sim/test_world.hpp"
#include "wire/api/delete_records.hpp"
#include "wire/api/delete_topics.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

constexpr std::int64_t kTime = 1'700'000'000'000;
constexpr std::int16_t kByName = 12;

// A consumer with a session over all partitions of one topic.
class Session {
 public:
  Session(Line& line, std::int32_t partitions)
      : line_(line), offsets_(static_cast<std::size_t>(partitions)) {}

  // The next request, with what is to be named anew in it.
  wire::FetchRequest next() {
    wire::FetchRequest request;
    request.max_bytes = 1 << 26;
    request.min_bytes = 1;
    request.session_id = id_;
    request.session_epoch = epoch_;
    if (epoch_ == 0) {
      for (std::int32_t partition = 0; partition < static_cast<std::int32_t>(offsets_.size()); ++partition) {
        named_.push_back(partition);
      }
    }
    if (!named_.empty()) request.topics.push_back({.topic = "t"});
    for (const std::int32_t partition : std::exchange(named_, {})) {
      request.topics[0].partitions.push_back({.partition = partition,
                                              .fetch_offset = offsets_[static_cast<std::size_t>(partition)],
                                              .partition_max_bytes = 1 << 20});
    }
    return request;
  }
  // What the answer tells, by partition; positions move on behind records.
  std::map<std::int32_t, wire::FetchResponsePartitionData> take(const wire::FetchResponse& response) {
    EXPECT_EQ(response.error_code, ErrorCode::none);
    if (epoch_ == 0) id_ = response.session_id;
    ++epoch_;
    std::map<std::int32_t, wire::FetchResponsePartitionData> parts;
    for (const auto& topic : response.responses) {
      for (const auto& part : topic.partitions) {
        EXPECT_TRUE(parts.emplace(part.partition_index, part).second) << "named twice";
        if (part.records.value_or(Bytes{}).empty()) continue;
        offsets_[static_cast<std::size_t>(part.partition_index)] = part.high_watermark;
        named_.push_back(part.partition_index);
      }
    }
    return parts;
  }
  std::map<std::int32_t, wire::FetchResponsePartitionData> poll() { return take(line_.ask(kByName, next())); }

 private:
  Line& line_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::int32_t> named_;
  std::int32_t id_ = 0;
  std::int32_t epoch_ = 0;
};

class FetchSession : public OverShards {
 protected:
  std::uint64_t looks() const {
    std::uint64_t sum = 0;
    for (const auto& shard : world.broker.metrics()) sum += shard.fetch_partitions;
    return sum;
  }
};

TEST_P(FetchSession, costs_what_changed) {
  constexpr std::int32_t kPartitions = 1'000;
  create_topic(line, "t", kPartitions);
  Line reader(world);
  Session session(reader, kPartitions);
  EXPECT_EQ(session.poll().size(), 1'000U) << "the first answer is full";
  const std::uint64_t begin = looks();
  for (int count = 0; count < 5; ++count) EXPECT_TRUE(session.poll().empty());
  EXPECT_EQ(looks() - begin, 0U) << "nothing changed";

  // Between polls.
  produce(line, "t", 777, batch_of(1, kTime));
  const auto found = session.poll();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.begin()->first, 777);
  EXPECT_TRUE(session.poll().empty());
  EXPECT_LE(looks() - begin, 4U);

  // During a poll.
  auto request = session.next();
  request.max_wait_ms = 30'000;
  const auto correlation = reader.post(kByName, request);
  world.pass(Duration::from_ms(100));
  EXPECT_FALSE(reader.whole_frame());
  produce(line, "t", 333, batch_of(1, kTime));
  EXPECT_EQ(session.take(reader.take<wire::FetchRequest>(kByName, correlation)).begin()->first, 333);
  EXPECT_LE(looks() - begin, 8U);
}

TEST_P(FetchSession, tells_everything_once) {
  constexpr std::int32_t kPartitions = 20;
  create_topic(line, "t", kPartitions);
  Line reader(world);
  Session session(reader, kPartitions);
  session.poll();
  std::map<std::int32_t, std::int64_t> told;
  const auto poll = [&] {
    for (const auto& [each, part] : session.poll()) {
      EXPECT_FALSE(part.records.value_or(Bytes{}).empty());
      EXPECT_GT(part.high_watermark, told[each]);
      told[each] = part.high_watermark;
    }
  };
  for (int round = 0; round < 100; ++round) {
    const auto partition = static_cast<std::int32_t>(world.agenda.random().below(kPartitions));
    produce(line, "t", partition, batch_of(1, kTime));
    if (round % 3 != 0) poll();
  }
  poll();
  std::int64_t sum = 0;
  for (const auto& [each, end] : told) sum += end;
  EXPECT_EQ(sum, 100);
}

TEST_P(FetchSession, records_come_again_until_the_client_moves_on) {
  create_topic(line, "t", 2);
  produce(line, "t", 1, batch_of(1, kTime));
  Line reader(world);
  Session session(reader, 2);
  EXPECT_FALSE(session.poll().at(1).records.value_or(Bytes{}).empty());
  auto request = session.next();
  request.topics.clear();  // as if it had not been read
  EXPECT_FALSE(session.take(reader.ask(kByName, request)).at(1).records.value_or(Bytes{}).empty());
  EXPECT_TRUE(session.poll().empty());
}

TEST_P(FetchSession, partitions_that_find_no_room_have_their_turn_later) {
  constexpr std::int32_t kPartitions = 5;
  create_topic(line, "t", kPartitions);
  Line reader(world);
  Session session(reader, kPartitions);
  session.poll();
  for (std::int32_t partition = 0; partition < kPartitions; ++partition) {
    for (int count = 0; count < 3; ++count) produce(line, "t", partition, batch_of(1, kTime));
  }
  std::map<std::int32_t, int> served;
  for (int poll = 0; poll < kPartitions; ++poll) {
    auto request = session.next();
    request.max_bytes = 1;
    for (const auto& [partition, part] : session.take(reader.ask(kByName, request))) {
      if (!part.records.value_or(Bytes{}).empty()) ++served[partition];
    }
  }
  EXPECT_EQ(served.size(), 5U) << "each once, though every poll has room for one";
}

TEST_P(FetchSession, a_log_start_that_moves_is_told) {
  create_topic(line, "t", 3);
  produce(line, "t", 2, batch_of(5, kTime));
  Line reader(world);
  Session session(reader, 3);
  session.poll();
  EXPECT_TRUE(session.poll().empty());
  wire::DeleteRecordsRequest deletion;
  deletion.topics.push_back({.name = "t", .partitions = {{.partition_index = 2, .offset = 3}}});
  deletion.timeout_ms = 1'000;
  line.ask(2, deletion);
  const auto news = session.poll();
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news.at(2).log_start_offset, 3);
  EXPECT_TRUE(session.poll().empty());
}

TEST_P(FetchSession, a_topic_that_is_deleted_is_told_again_and_again) {
  create_topic(line, "t", 3);
  Line reader(world);
  Session session(reader, 3);
  session.poll();
  EXPECT_TRUE(session.poll().empty());
  wire::DeleteTopicsRequest deletion;
  deletion.topic_names = {"t"};
  line.ask(5, deletion);
  for (int count = 0; count < 2; ++count) {
    const auto news = session.poll();
    EXPECT_EQ(news.size(), 3U);
    for (const auto& [partition, part] : news) {
      EXPECT_EQ(part.error_code, ErrorCode::unknown_topic_or_partition);
    }
  }
  create_topic(line, "t", 3);
  EXPECT_EQ(session.poll().size(), 3U) << "the errors are over";
  EXPECT_TRUE(session.poll().empty());
  produce(line, "t", 1, batch_of(1, kTime));
  EXPECT_EQ(session.poll().size(), 1U);
}

TEST_P(FetchSession, ends_when_nothing_is_left_in_it) {
  create_topic(line, "t", 1);
  Line reader(world);
  Session session(reader, 1);
  session.poll();
  auto request = session.next();
  request.max_wait_ms = 30'000;
  request.forgotten_topics_data.push_back({.topic = "t", .topic_id = {}, .partitions = {0}});
  const auto last = reader.ask(kByName, request);
  EXPECT_EQ(last.error_code, ErrorCode::none);
  EXPECT_EQ(last.session_id, 0);
  EXPECT_TRUE(last.responses.empty());
  request.forgotten_topics_data.clear();
  ++request.session_epoch;
  EXPECT_EQ(reader.ask(kByName, request).error_code, ErrorCode::fetch_session_id_not_found);
}

// A session outlives its connection; what was told to nobody is told to the next one that comes.
TEST_P(FetchSession, goes_on_over_another_connection_of_its_shard) {
  create_topic(line, "t", 4);
  auto first = std::make_unique<Line>(world);
  wire::FetchRequest request = fetching("t", 0, 0);
  for (std::int32_t partition = 1; partition < 4; ++partition) {
    request.topics[0].partitions.push_back({.partition = partition, .partition_max_bytes = 1 << 20});
  }
  request.session_epoch = 0;
  const std::int32_t id = first->ask(kByName, request).session_id;
  wire::FetchRequest next;
  next.max_bytes = 1 << 20;
  next.min_bytes = 1;
  next.max_wait_ms = 30'000;
  next.session_id = id;
  next.session_epoch = 1;
  first->post(kByName, next);
  world.pass(Duration::from_ms(20));
  first.reset();
  produce(line, "t", 3, batch_of(1, kTime));
  ++next.session_epoch;
  for (std::uint32_t tries = 0; tries < 50; ++tries) {
    Line second(world);
    const auto response = second.ask(kByName, next);
    if (response.error_code == ErrorCode::fetch_session_id_not_found) continue;  // another shard
    ASSERT_EQ(response.error_code, ErrorCode::none);
    ASSERT_EQ(response.responses.size(), 1U);
    EXPECT_EQ(response.responses[0].partitions.at(0).partition_index, 3);
    return;
  }
  FAIL() << "no shard knows the session";
}

INSTANTIATE_TEST_SUITE_P(Shards, FetchSession, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
