// Goal: fetch waits, limits, remembers sessions and refuses as Kafka's consumers expect.
// Method: requests over one or two connections of a simulated broker, with one and with three shards; waiting
// is simulated time, so that "at once" and "after the wait" are told apart exactly.
#include <tuple>

#include "records/batch.hpp"
#include "sim/test_world.hpp"
#include "wire/api/delete_topics.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

constexpr std::int64_t kTime = 1'700'000'000'000;
constexpr std::int16_t kByName = 12;
constexpr std::int16_t kById = 17;

class Fetch : public OverShards {
 protected:
  std::int64_t ms() const { return world.agenda.now().nanoseconds / 1'000'000; }

  static std::size_t batches_in(const wire::FetchResponsePartitionData& part) {
    std::size_t count = 0;
    records::BatchCursor cursor(part.records.value_or(Bytes{}));
    while (const auto batch = cursor.next()) {
      EXPECT_TRUE(batch->crc_matches());
      ++count;
    }
    EXPECT_FALSE(cursor.fault().has_value()) << "whole batches only";
    return count;
  }
  static std::size_t size_of(const wire::FetchResponsePartitionData& part) {
    return part.records.value_or(Bytes{}).size();
  }
};

TEST_P(Fetch, from_the_middle_to_the_end) {
  create_topic(line, "t", 1);
  for (int count = 0; count < 5; ++count) produce(line, "t", 0, batch_of(2, kTime));
  EXPECT_EQ(batches_in(fetch(line, "t", 0, 0)), 5U);
  const auto part = fetch(line, "t", 0, 5);
  EXPECT_EQ(part.high_watermark, 10);
  EXPECT_EQ(part.last_stable_offset, 10);
  EXPECT_EQ(part.log_start_offset, 0);
  EXPECT_EQ(batches_in(part), 3U) << "the batch that holds offset 5, and all after it";
  EXPECT_EQ(size_of(fetch(line, "t", 0, 10)), 0U);
}

TEST_P(Fetch, beyond_either_end_is_out_of_range) {
  create_topic(line, "t", 1);
  produce(line, "t", 0, batch_of(2, kTime));
  for (const std::int64_t offset : std::initializer_list<std::int64_t>{3, -1, 1'000'000}) {
    EXPECT_EQ(fetch(line, "t", 0, offset).error_code, ErrorCode::offset_out_of_range) << offset;
  }
  EXPECT_EQ(fetch(line, "t", 7, 0).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(fetch(line, "nope", 0, 0).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_P(Fetch, by_topic_id) {
  const Uuid id = create_topic(line, "t", 1);
  produce(line, "t", 0, batch_of(2, kTime));
  auto request = fetching("", 0, 0);
  request.topics[0].topic_id = id;
  auto response = line.ask(kById, request);
  ASSERT_EQ(response.responses.size(), 1U);
  EXPECT_EQ(response.responses[0].topic_id, id);
  EXPECT_EQ(batches_in(response.responses[0].partitions.at(0)), 1U);
  request.topics[0].topic_id = Uuid{1, 2};
  response = line.ask(kById, request);
  EXPECT_EQ(response.responses.at(0).partitions.at(0).error_code, ErrorCode::unknown_topic_id);
}

TEST_P(Fetch, leader_epochs) {
  create_topic(line, "t", 1);
  produce(line, "t", 0, batch_of(2, kTime));
  const auto epoch = line.ask(13, wire::MetadataRequest{}).topics.at(0).partitions.at(0).leader_epoch;
  auto request = fetching("t", 0, 0);
  const auto ask = [&](std::int32_t current) {
    request.topics[0].partitions[0].current_leader_epoch = current;
    return line.ask(kByName, request).responses.at(0).partitions.at(0).error_code;
  };
  EXPECT_EQ(ask(epoch), ErrorCode::none);
  EXPECT_EQ(ask(-1), ErrorCode::none);
  EXPECT_EQ(ask(epoch + 1), ErrorCode::unknown_leader_epoch);
  if (epoch > 0) EXPECT_EQ(ask(epoch - 1), ErrorCode::fenced_leader_epoch);
}

// --- waiting

TEST_P(Fetch, waits_for_its_time_when_nothing_comes) {
  create_topic(line, "t", 2);
  auto request = fetching("t", 0, 0);
  request.topics[0].partitions.push_back({.partition = 1, .partition_max_bytes = 1 << 20});
  request.min_bytes = 1;
  request.max_wait_ms = 400;
  const std::int64_t begin = ms();
  const auto response = line.ask(kByName, request);
  EXPECT_GE(ms() - begin, 400);
  EXPECT_LT(ms() - begin, 450);
  EXPECT_EQ(size_of(response.responses.at(0).partitions.at(0)), 0U);
}

TEST_P(Fetch, does_not_wait_when_not_asked_to) {
  create_topic(line, "t", 1);
  auto request = fetching("t", 0, 0);
  request.max_wait_ms = 10'000;
  request.min_bytes = 0;
  const std::int64_t begin = ms();
  line.ask(kByName, request);
  EXPECT_LT(ms() - begin, 100);
  request.min_bytes = 1;
  request.topics[0].partitions[0].fetch_offset = 99;
  EXPECT_EQ(line.ask(kByName, request).responses.at(0).partitions.at(0).error_code,
            ErrorCode::offset_out_of_range);
  EXPECT_LT(ms() - begin, 200) << "an error is told at once";
}

TEST_P(Fetch, is_woken_by_a_produce_to_any_of_its_partitions) {
  create_topic(line, "t", 6);
  for (std::int32_t partition = 0; partition < 6; ++partition) {
    Line reader(world);
    auto request = fetching("t", 0, 0);
    request.topics[0].partitions.clear();
    for (std::int32_t each = 0; each < 6; ++each) {
      request.topics[0].partitions.push_back(
          {.partition = each, .fetch_offset = each < partition ? 1 : 0, .partition_max_bytes = 1 << 20});
    }
    request.min_bytes = 1;
    request.max_wait_ms = 30'000;
    const std::int64_t begin = ms();
    const auto correlation = reader.post(kByName, request);
    world.pass(Duration::from_ms(100));
    EXPECT_FALSE(reader.whole_frame());
    produce(line, "t", partition, batch_of(1, kTime));
    const auto response = reader.take<wire::FetchRequest>(kByName, correlation);
    EXPECT_LT(ms() - begin, 200);
    std::size_t found = 0;
    for (const auto& part : response.responses.at(0).partitions) {
      if (size_of(part) > 0) {
        EXPECT_EQ(part.partition_index, partition);
        ++found;
      }
    }
    EXPECT_EQ(found, 1U);
  }
}

TEST_P(Fetch, waits_until_min_bytes_have_come) {
  create_topic(line, "t", 2);
  const Buffer batch = batch_of(1, kTime);
  Line reader(world);
  auto request = fetching("t", 0, 0);
  request.topics[0].partitions.push_back({.partition = 1, .partition_max_bytes = 1 << 20});
  request.min_bytes = static_cast<std::int32_t>(batch.size() * 3);
  request.max_wait_ms = 30'000;
  const auto correlation = reader.post(kByName, request);
  for (std::int32_t count = 0; count < 2; ++count) {
    produce(line, "t", count, batch);
    world.pass(Duration::from_ms(50));
    EXPECT_FALSE(reader.whole_frame()) << "after " << count + 1;
  }
  produce(line, "t", 0, batch);
  const auto response = reader.take<wire::FetchRequest>(kByName, correlation);
  const auto& parts = response.responses.at(0).partitions;
  EXPECT_EQ(size_of(parts.at(0)) + size_of(parts.at(1)), batch.size() * 3);
}

TEST_P(Fetch, waits_for_no_more_bytes_than_it_takes) {
  create_topic(line, "t", 1);
  auto request = fetching("t", 0, 0);
  request.min_bytes = 1 << 20;
  request.max_bytes = 100;
  request.max_wait_ms = 30'000;
  const std::int64_t begin = ms();
  Line reader(world);
  const auto correlation = reader.post(kByName, request);
  world.pass(Duration::from_ms(100));
  EXPECT_FALSE(reader.whole_frame());
  produce(line, "t", 0, batch_of(1, kTime, {}, 500));
  const auto woken = reader.take<wire::FetchRequest>(kByName, correlation);
  EXPECT_EQ(batches_in(woken.responses.at(0).partitions.at(0)), 1U);
  EXPECT_EQ(batches_in(line.ask(kByName, request).responses.at(0).partitions.at(0)), 1U);
  EXPECT_LT(ms() - begin, 300);
}

// Whole batches seldom fill a limit. Kafka counts the bytes that are there, up to the limit.
TEST_P(Fetch, what_does_not_fit_counts_towards_min_bytes) {
  create_topic(line, "t", 3);
  const Buffer batch = batch_of(1, kTime, {}, 500);
  const auto size = static_cast<std::int32_t>(batch.size());
  for (int count = 0; count < 4; ++count) {
    for (std::int32_t partition = 0; partition < 3; ++partition) produce(line, "t", partition, batch);
  }
  struct Limits {
    std::int32_t min = 0;
    std::int32_t max = 0;
    std::int32_t partition_max = 0;
  };
  // How many batches came, by the number of partitions that are asked for; negative: the fetch waited.
  const auto ask = [&](const Limits& limits, std::int32_t partitions) {
    auto request = fetching("t", 0, 0);
    request.topics[0].partitions.clear();
    for (std::int32_t each = 0; each < partitions; ++each) {
      request.topics[0].partitions.push_back(
          {.partition = each, .partition_max_bytes = limits.partition_max});
    }
    request.min_bytes = limits.min;
    request.max_bytes = limits.max;
    request.max_wait_ms = 1'000;
    const std::int64_t begin = ms();
    const auto response = line.ask(kByName, request);
    int batches = 0;
    for (const auto& part : response.responses.at(0).partitions)
      batches += static_cast<int>(batches_in(part));
    return ms() - begin < 100 ? batches : -batches;
  };
  const std::int32_t much = 100 * size;
  const std::int32_t more_than_two = 2 * size + 200;
  EXPECT_EQ(ask({.min = more_than_two, .max = more_than_two, .partition_max = much}, 1), 2);
  EXPECT_EQ(ask({.min = more_than_two - 1, .max = more_than_two, .partition_max = much}, 3), 2);
  EXPECT_EQ(ask({.min = size + 1, .max = size + 1, .partition_max = much}, 3), 1);
  EXPECT_EQ(ask({.min = more_than_two, .max = much, .partition_max = more_than_two}, 1), 2);
  EXPECT_EQ(ask({.min = 3 * more_than_two, .max = much, .partition_max = more_than_two}, 3), 6);
  EXPECT_EQ(ask({.min = more_than_two + 1, .max = much, .partition_max = more_than_two}, 1), -2)
      << "a partition can be full where the fetch is not";
  EXPECT_EQ(ask({.min = 4 * size + 1, .max = much, .partition_max = much}, 1), -4) << "there is no more";
}

TEST_P(Fetch, of_what_is_not_in_the_newest_segment_does_not_wait) {
  create_topic(line, "t", 1, {{"segment.bytes", "1048576"}});
  for (int count = 0; count < 4; ++count) produce(line, "t", 0, batch_of(1, kTime, {}, 400'000));
  const auto waits = [&](std::int64_t offset) {
    auto request = fetching("t", 0, offset);
    request.topics[0].partitions[0].partition_max_bytes = 500'000;
    request.min_bytes = 2'000'000;
    request.max_wait_ms = 1'000;
    const std::int64_t begin = ms();
    EXPECT_EQ(batches_in(line.ask(kByName, request).responses.at(0).partitions.at(0)), 1U);
    return ms() - begin >= 1'000;
  };
  EXPECT_FALSE(waits(0));
  EXPECT_FALSE(waits(1));
  EXPECT_TRUE(waits(2)) << "two batches are there, and one is as much as it takes";
  EXPECT_TRUE(waits(3));
}

TEST_P(Fetch, of_a_topic_that_is_deleted_ends_at_once) {
  create_topic(line, "t", 3);
  for (std::int32_t partition = 0; partition < 3; ++partition)
    produce(line, "t", partition, batch_of(1, kTime));
  Line reader(world);
  auto request = fetching("t", 2, 1);
  request.min_bytes = 1;
  request.max_wait_ms = 30'000;
  const auto correlation = reader.post(kByName, request);
  world.pass(Duration::from_ms(50));
  EXPECT_FALSE(reader.whole_frame());
  const std::int64_t begin = ms();
  wire::DeleteTopicsRequest deletion;
  deletion.topic_names = {"t"};
  line.ask(5, deletion);
  const auto response = reader.take<wire::FetchRequest>(kByName, correlation);
  EXPECT_LT(ms() - begin, 1'000);
  EXPECT_EQ(response.responses.at(0).partitions.at(0).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_P(Fetch, a_reader_that_goes_away_while_waiting_is_forgotten) {
  create_topic(line, "t", 3);
  for (std::int32_t count = 0; count < 10; ++count) {
    Line reader(world);
    auto request = fetching("t", count % 3, 0);
    request.min_bytes = 1'000'000;
    request.max_wait_ms = 30'000;
    reader.post(kByName, request);
    world.pass(Duration::from_ms(10));
  }
  for (std::int32_t partition = 0; partition < 3; ++partition) {
    EXPECT_EQ(produce(line, "t", partition, batch_of(1, kTime)).error_code, ErrorCode::none);
  }
}

// --- limits

TEST_P(Fetch, bytes_per_partition_are_a_limit_but_for_the_first_batch) {
  create_topic(line, "t", 1);
  const Buffer batch = batch_of(1, kTime, {}, 500);
  for (int count = 0; count < 10; ++count) produce(line, "t", 0, batch);
  auto request = fetching("t", 0, 0);
  const auto ask = [&](std::int32_t most) {
    request.topics[0].partitions[0].partition_max_bytes = most;
    return batches_in(line.ask(kByName, request).responses.at(0).partitions.at(0));
  };
  const auto size = static_cast<std::int32_t>(batch.size());
  EXPECT_EQ(ask(0), 1U);
  EXPECT_EQ(ask(1), 1U);
  EXPECT_EQ(ask(size), 1U);
  EXPECT_EQ(ask(3 * size), 3U);
  EXPECT_EQ(ask(100 * size), 10U);
}

TEST_P(Fetch, bytes_in_all_are_a_limit_but_for_one_batch) {
  create_topic(line, "t", 3);
  const Buffer batch = batch_of(1, kTime, {}, 500);
  for (std::int32_t count = 0; count < 12; ++count) produce(line, "t", count % 3, batch);
  auto request = fetching("t", 0, 0);
  for (std::int32_t partition = 1; partition < 3; ++partition) {
    request.topics[0].partitions.push_back({.partition = partition, .partition_max_bytes = 1 << 20});
  }
  const auto ask = [&](std::size_t most) {
    request.max_bytes = static_cast<std::int32_t>(most);
    std::size_t count = 0;
    const auto response = line.ask(kByName, request);
    for (const auto& part : response.responses.at(0).partitions) count += batches_in(part);
    return count;
  };
  EXPECT_EQ(ask(1), 1U) << "one batch in all, not one per partition";
  EXPECT_GE(ask(batch.size() * 5), 1U);
  EXPECT_LE(ask(batch.size() * 5), 5U);
  EXPECT_EQ(ask(batch.size() * 100), 12U);
}

TEST_P(Fetch, what_left_the_cache_is_read_from_the_disk) {
  create_topic(line, "t", 1, {{"segment.bytes", "1048576"}});
  const Buffer batch = batch_of(1, kTime, {}, 100'000);
  for (int count = 0; count < 40; ++count) {
    EXPECT_EQ(produce(line, "t", 0, batch).base_offset, count);
  }
  world.stop();
  world.start();
  Line after(world);
  for (std::int64_t offset = 0; offset < 40; offset += 7) {
    const auto part = fetch(after, "t", 0, offset);
    EXPECT_EQ(part.error_code, ErrorCode::none);
    EXPECT_EQ(part.high_watermark, 40);
    records::BatchCursor cursor(part.records.value_or(Bytes{}));
    const auto first = cursor.next();
    ASSERT_TRUE(first.has_value()) << offset;
    EXPECT_EQ(first->base_offset().value, offset);
    EXPECT_TRUE(first->crc_matches());
  }
}

// --- sessions

TEST_P(Fetch, a_session_tells_only_news) {
  create_topic(line, "t", 3);
  auto request = fetching("t", 0, 0);
  request.topics[0].partitions.push_back({.partition = 1, .partition_max_bytes = 1 << 20});
  request.session_epoch = 0;
  const auto full = line.ask(kByName, request);
  EXPECT_EQ(full.error_code, ErrorCode::none);
  EXPECT_NE(full.session_id, 0);
  EXPECT_EQ(full.responses.at(0).partitions.size(), 2U);

  wire::FetchRequest next;
  next.max_bytes = 1 << 20;
  next.session_id = full.session_id;
  next.session_epoch = 1;
  EXPECT_TRUE(line.ask(kByName, next).responses.empty()) << "nothing is new";

  produce(line, "t", 1, batch_of(1, kTime));
  next.session_epoch = 2;
  const auto news = line.ask(kByName, next);
  ASSERT_EQ(news.responses.size(), 1U);
  ASSERT_EQ(news.responses[0].partitions.size(), 1U);
  EXPECT_EQ(news.responses[0].partitions[0].partition_index, 1);

  next.session_epoch = 3;  // the position moves on; partition 2 comes in, partition 0 is forgotten
  next.topics.push_back({.topic = "t",
                         .topic_id = {},
                         .partitions = {{.partition = 1, .fetch_offset = 1, .partition_max_bytes = 1 << 20},
                                        {.partition = 2, .partition_max_bytes = 1 << 20}}});
  next.forgotten_topics_data.push_back({.topic = "t", .topic_id = {}, .partitions = {0}});
  line.ask(kByName, next);
  next.topics.clear();
  next.forgotten_topics_data.clear();
  produce(line, "t", 0, batch_of(1, kTime));
  produce(line, "t", 2, batch_of(1, kTime));
  next.session_epoch = 4;
  const auto last = line.ask(kByName, next);
  ASSERT_EQ(last.responses.size(), 1U);
  ASSERT_EQ(last.responses[0].partitions.size(), 1U);
  EXPECT_EQ(last.responses[0].partitions[0].partition_index, 2);
}

TEST_P(Fetch, sessions_are_refused) {
  create_topic(line, "t", 1);
  auto request = fetching("t", 0, 0);
  request.session_epoch = 0;
  const std::int32_t id = line.ask(kByName, request).session_id;
  wire::FetchRequest next;
  next.session_id = id;
  next.session_epoch = 5;
  EXPECT_EQ(line.ask(kByName, next).error_code, ErrorCode::invalid_fetch_session_epoch);
  next.session_id = id + 1;
  next.session_epoch = 1;
  EXPECT_EQ(line.ask(kByName, next).error_code, ErrorCode::fetch_session_id_not_found);
  next.session_id = id;
  next.session_epoch = -1;  // the end of the session
  EXPECT_EQ(line.ask(kByName, next).error_code, ErrorCode::none);
  next.session_epoch = 1;
  EXPECT_EQ(line.ask(kByName, next).error_code, ErrorCode::fetch_session_id_not_found);
  request.session_epoch = -1;
  EXPECT_EQ(line.ask(kByName, request).session_id, 0) << "no session was wished";
}

INSTANTIATE_TEST_SUITE_P(Shards, Fetch, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
