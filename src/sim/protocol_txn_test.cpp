// Goal: transactions as clients of both kinds ask for them (plain ones, and those that bump their epoch):
// what is committed is read, what is aborted is not, what comes late changes nothing. Method: a simulated
// broker with one shard and with three, asked over the wire.
#include <gtest/gtest.h>

#include "sim/txn_client.hpp"
#include "wire/api/delete_records.hpp"
#include "wire/api/incremental_alter_configs.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

std::vector<std::int32_t> up_to(std::int32_t end) {
  std::vector<std::int32_t> all;
  for (std::int32_t each = 0; each < end; ++each) all.push_back(each);
  return all;
}

class Transactions : public OverShards {
 protected:
  void SetUp() override {
    topic = create_topic(line, "t", 3);
    make_coordinators(line);
    make_transaction_coordinators(line);
  }

  std::int64_t latest(std::int32_t partition, std::int8_t isolation) {
    return sim::latest(line, "t", partition, isolation);
  }
  void expect_marked(std::int32_t partition, std::int64_t end) {
    EXPECT_TRUE(world.until([&] { return latest(partition, kCommitted) == end; }))
        << "partition " << partition << " is stable up to " << latest(partition, kCommitted);
  }
  void verify_nothing() {
    wire::IncrementalAlterConfigsRequest request;
    auto& broker = request.resources.emplace_back();
    broker.resource_type = 4;
    broker.resource_name = "";
    broker.configs.push_back({.name = "transaction.partition.verification.enable", .value = "false"});
    ASSERT_EQ(line.ask(1, request).responses.at(0).error_code, ErrorCode::none);
  }

  Uuid topic;
};

INSTANTIATE_TEST_SUITE_P(Shards, Transactions, testing::Values(1U, 3U));

TEST_P(Transactions, what_a_plain_client_commits_is_read) {
  TxnClient client(line, "id", TxnClient::Kind::plain);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.add("t", {0, 2}), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 0, 3), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 2, 1), ErrorCode::none);
  EXPECT_EQ(latest(0, kCommitted), 0);
  EXPECT_EQ(latest(0, kUncommitted), 3);
  EXPECT_TRUE(read(line, "t", 0, 0, kCommitted).values.empty());
  EXPECT_EQ(client.end(true), ErrorCode::none);
  expect_marked(0, 4);
  expect_marked(2, 2);
  EXPECT_EQ(read(line, "t", 0, 0, kCommitted).values.size(), 3U);
  EXPECT_EQ(read(line, "t", 2, 0, kCommitted).values.size(), 1U);
  EXPECT_EQ(latest(1, kUncommitted), 0);
}

TEST_P(Transactions, what_a_client_that_bumps_commits_is_read) {
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  EXPECT_EQ(client.init(), ErrorCode::none);
  const TxnClient::Identity first = client.identity;
  EXPECT_EQ(client.produce("t", 0, 3), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 0, 2), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 1, 1), ErrorCode::none);
  EXPECT_EQ(client.end(true), ErrorCode::none);
  EXPECT_EQ(client.identity.id, first.id);
  EXPECT_EQ(client.identity.epoch, first.epoch + 1);
  expect_marked(0, 6);
  expect_marked(1, 2);
  EXPECT_EQ(read(line, "t", 0, 0, kCommitted).values.size(), 5U);
  // The next transaction begins at once.
  EXPECT_EQ(client.produce("t", 0, 1), ErrorCode::none);
  EXPECT_EQ(client.end(true), ErrorCode::none);
  expect_marked(0, 8);
  EXPECT_EQ(read(line, "t", 0, 0, kCommitted).values.size(), 6U);
}

TEST_P(Transactions, what_is_aborted_is_named_to_who_reads_committed) {
  for (const auto kind : {TxnClient::Kind::plain, TxnClient::Kind::bumping}) {
    const std::int64_t begin = latest(0, kUncommitted);
    TxnClient client(line, kind == TxnClient::Kind::plain ? "plain" : "bumping", kind);
    EXPECT_EQ(client.init(), ErrorCode::none);
    EXPECT_EQ(client.add("t", {0}), ErrorCode::none);
    EXPECT_EQ(client.produce("t", 0, 3), ErrorCode::none);
    EXPECT_EQ(client.end(false), ErrorCode::none);
    expect_marked(0, begin + 4);
    const Read committed = read(line, "t", 0, begin, kCommitted);
    EXPECT_TRUE(committed.values.empty());
    ASSERT_EQ(committed.aborted.size(), 1U);
    EXPECT_EQ(committed.aborted[0].first_offset, begin);
    EXPECT_EQ(read(line, "t", 0, begin, kUncommitted).values.size(), 3U);
  }
}

TEST_P(Transactions, the_last_stable_offset_holds_back_what_came_later) {
  TxnClient slow(line, "slow", TxnClient::Kind::bumping);
  TxnClient fast(line, "fast", TxnClient::Kind::bumping);
  EXPECT_EQ(slow.init(), ErrorCode::none);
  EXPECT_EQ(fast.init(), ErrorCode::none);
  EXPECT_EQ(slow.produce("t", 0, 1), ErrorCode::none);
  EXPECT_EQ(fast.produce("t", 0, 1), ErrorCode::none);
  EXPECT_EQ(fast.end(true), ErrorCode::none);
  EXPECT_TRUE(world.until([&] { return latest(0, kUncommitted) == 3; }));
  EXPECT_EQ(latest(0, kCommitted), 0);
  EXPECT_TRUE(read(line, "t", 0, 0, kCommitted).values.empty());
  EXPECT_EQ(slow.end(false), ErrorCode::none);
  expect_marked(0, 4);
  EXPECT_EQ(read(line, "t", 0, 0, kCommitted).values.size(), 1U);
}

TEST_P(Transactions, an_open_one_whose_records_were_deleted_holds_back_what_is_left_and_no_more) {
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 0, 5), ErrorCode::none);
  EXPECT_EQ(produce(line, "t", 0, batch_of(3, 1'000)).base_offset, 5);
  wire::DeleteRecordsRequest cut;
  cut.topics.push_back({.name = "t", .partitions = {{.partition_index = 0, .offset = 5}}});
  cut.timeout_ms = 10'000;
  EXPECT_EQ(line.ask(2, cut).topics.at(0).partitions.at(0).low_watermark, 5);
  EXPECT_EQ(latest(0, kCommitted), 5) << "not below the first record";
  EXPECT_EQ(latest(0, kUncommitted), 8);
  auto request = fetching("t", 0, 5);
  request.isolation_level = kCommitted;
  const auto part = line.ask(12, request).responses.at(0).partitions.at(0);
  EXPECT_EQ(part.error_code, ErrorCode::none);
  EXPECT_EQ(part.last_stable_offset, 5);
  EXPECT_EQ(part.log_start_offset, 5);
  EXPECT_EQ(client.end(true), ErrorCode::none);
  expect_marked(0, 9);
}

TEST_P(Transactions, batches_that_follow_the_first_without_waiting_keep_their_order) {
  for (const auto kind : {TxnClient::Kind::plain, TxnClient::Kind::bumping}) {
    const std::int64_t begin = latest(0, kUncommitted);
    TxnClient client(line, kind == TxnClient::Kind::plain ? "plain" : "bumping", kind);
    EXPECT_EQ(client.init(), ErrorCode::none);
    // In the first transaction the partition does not know the producer, from the second on it does.
    for (std::int64_t round = 1; round <= 3; ++round) {
      EXPECT_EQ(client.add("t", {0}), ErrorCode::none);
      std::vector<std::int32_t> asked;
      for (std::int32_t each = 0; each < 5; ++each) asked.push_back(client.post("t", 0, 2));
      for (const std::int32_t correlation : asked) EXPECT_EQ(client.take(correlation), ErrorCode::none);
      EXPECT_EQ(client.end(true), ErrorCode::none);
      expect_marked(0, begin + round * 11);
    }
    EXPECT_EQ(read(line, "t", 0, begin, kCommitted).values.size(), 30U);
  }
}

TEST_P(Transactions, a_batch_without_the_first_of_its_epoch_is_late) {
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  EXPECT_EQ(client.init(), ErrorCode::none);
  client.skip("t", 1, 3);
  EXPECT_EQ(client.produce("t", 1, 1), ErrorCode::out_of_order_sequence_number);
}

// --- who may write

TEST_P(Transactions, records_of_a_partition_that_was_not_added_are_refused) {
  TxnClient client(line, "id", TxnClient::Kind::plain);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.add("t", {0}), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 1, 1), ErrorCode::invalid_txn_state);
  client.produce_version = 11;
  EXPECT_EQ(client.produce("t", 1, 1), ErrorCode::transaction_abortable);
  // So is what follows the first one without waiting.
  const std::int32_t first = client.post("t", 1, 1);
  const std::int32_t second = client.post("t", 1, 1);
  EXPECT_EQ(client.take(first), ErrorCode::transaction_abortable);
  EXPECT_EQ(client.take(second), ErrorCode::transaction_abortable);
  EXPECT_EQ(latest(1, kUncommitted), 0);
}

TEST_P(Transactions, what_follows_a_refused_batch_does_not_become_the_first) {
  TxnClient client(line, "id", TxnClient::Kind::plain);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.add("t", {0}), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 1, 2), ErrorCode::invalid_txn_state);
  EXPECT_EQ(client.add("t", {1}), ErrorCode::none);
  client.skip("t", 1, 2);
  EXPECT_EQ(client.produce("t", 1, 1), ErrorCode::out_of_order_sequence_number);
  client.skip("t", 1, -2);
  EXPECT_EQ(client.produce("t", 1, 2), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 1, 1), ErrorCode::none);
  EXPECT_EQ(client.end(true), ErrorCode::none);
  expect_marked(1, 4);
}

TEST_P(Transactions, records_of_a_transaction_need_its_id) {
  TxnClient client(line, "id", TxnClient::Kind::plain);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.add("t", {0}), ErrorCode::none);
  client.names_itself = false;
  EXPECT_EQ(client.produce("t", 0, 1), ErrorCode::transactional_id_authorization_failed);
}

TEST_P(Transactions, records_without_its_id_take_the_whole_request_down) {
  const Buffer plain = batch_of(1, 1);
  const Buffer transactional = batch_of(1, 1,
                                        {.producer_id = ProducerId{7},
                                         .producer_epoch = ProducerEpoch{0},
                                         .base_sequence = 0,
                                         .transactional = true});
  for (const std::string with : {"t", "nope"}) {
    wire::ProduceRequest request = production("t", 0, plain);
    request.topic_data[0].partition_data.push_back({.index = 99, .records = plain});
    auto& other = request.topic_data.emplace_back();
    other.name = with;
    other.partition_data.push_back({.index = 1, .records = transactional});
    const auto response = line.ask(12, request);
    std::size_t partitions = 0;
    for (const auto& topic : response.responses) {
      for (const auto& partition : topic.partition_responses) {
        EXPECT_EQ(partition.error_code, ErrorCode::transactional_id_authorization_failed)
            << with << ' ' << partition.index;
        ++partitions;
      }
    }
    EXPECT_EQ(partitions, 3U);
  }
}

TEST_P(Transactions, who_initializes_fences_who_was_before) {
  for (const auto kind : {TxnClient::Kind::plain, TxnClient::Kind::bumping}) {
    const std::string id = kind == TxnClient::Kind::plain ? "plain" : "bumping";
    const std::int64_t begin = latest(0, kUncommitted);
    TxnClient zombie(line, id, kind);
    EXPECT_EQ(zombie.init(), ErrorCode::none);
    EXPECT_EQ(zombie.add("t", {0}), ErrorCode::none);
    EXPECT_EQ(zombie.produce("t", 0, 1), ErrorCode::none);
    // Its transaction is aborted within the coordinator, so the first answer is the right one.
    TxnClient heir(line, id, kind);
    EXPECT_EQ(heir.init(), ErrorCode::none);
    EXPECT_EQ(heir.identity.id, zombie.identity.id);
    EXPECT_GT(heir.identity.epoch, zombie.identity.epoch);
    expect_marked(0, begin + 2);
    EXPECT_EQ(zombie.produce("t", 0, 1), ErrorCode::invalid_producer_epoch);
    if (kind == TxnClient::Kind::plain) EXPECT_EQ(zombie.add("t", {1}), ErrorCode::producer_fenced);
    EXPECT_EQ(zombie.end(true), ErrorCode::producer_fenced);
    EXPECT_TRUE(read(line, "t", 0, begin, kCommitted).values.empty());
  }
}

TEST_P(Transactions, a_transaction_that_outlives_its_timeout_is_aborted) {
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  client.timeout_ms = 20'000;
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 0, 1), ErrorCode::none);
  world.pass(Duration::from_ms(15'000));
  EXPECT_EQ(latest(0, kCommitted), 0);
  world.pass(Duration::from_ms(16'000));
  EXPECT_EQ(latest(0, kCommitted), 2);
  EXPECT_EQ(client.produce("t", 0, 1), ErrorCode::invalid_producer_epoch);
}

// The first records of the next transaction against every moment of the end of the one before: what is in
// front of that end is refused, what comes after it is taken, also if it reaches its partition before the
// marker does.
TEST_P(Transactions, records_of_the_next_transaction_may_be_ahead_of_the_marker) {
  constexpr int kMoments = 600;  // longer than the longest write takes, in microseconds
  Line other(world, "other");
  std::map<ErrorCode, int> answers;
  for (int moment = 0; moment < kMoments; ++moment) {
    SCOPED_TRACE(std::to_string(moment) + " us after the end was asked for");
    const std::int32_t partition = moment % 3;
    TxnClient client(line, "id-" + std::to_string(moment), TxnClient::Kind::bumping);
    EXPECT_EQ(client.init(), ErrorCode::none);
    EXPECT_EQ(client.produce("t", partition, 1), ErrorCode::none);
    const std::int32_t ending = client.post_end(true);
    world.pass(Duration::from_us(moment));
    TxnClient next = client.in_next_transaction();
    next.use(other);
    const ErrorCode error = next.produce("t", partition, 1);
    ++answers[error];
    EXPECT_EQ(client.take_end(ending), ErrorCode::none);
    EXPECT_EQ(client.identity.epoch, next.identity.epoch);
    if (error == ErrorCode::none) EXPECT_EQ(next.end(true), ErrorCode::none);
  }
  EXPECT_GT(answers[ErrorCode::invalid_producer_epoch], 0) << "it came before the end";
  EXPECT_GT(answers[ErrorCode::none], 0);
  EXPECT_EQ(answers.size(), 2U) << "TRANSACTION_ABORTABLE: " << answers[ErrorCode::transaction_abortable];
}

// --- late and repeated requests (KIP-890): nothing of one transaction touches the next

TEST_P(Transactions, late_requests_of_a_client_that_bumps_change_nothing) {
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 0, 1), ErrorCode::none);
  const TxnClient late = client;  // with the epoch and the sequences of the first transaction
  EXPECT_EQ(client.end(true), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 0, 1), ErrorCode::none);

  TxnClient again = late;
  EXPECT_EQ(again.produce("t", 0, 1), ErrorCode::invalid_producer_epoch);
  again = late;
  EXPECT_EQ(again.produce("t", 1, 1), ErrorCode::invalid_producer_epoch);
  again = late;
  EXPECT_EQ(again.end(true), ErrorCode::producer_fenced);
  again = late;
  EXPECT_EQ(again.end(false), ErrorCode::producer_fenced);

  EXPECT_EQ(latest(1, kUncommitted), 0);
  EXPECT_EQ(client.end(true), ErrorCode::none);
  expect_marked(0, 4);
  EXPECT_EQ(read(line, "t", 0, 0, kCommitted).values.size(), 2U);
}

TEST_P(Transactions, an_end_that_is_asked_again_is_answered_again) {
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 0, 1), ErrorCode::none);
  TxnClient again = client;
  EXPECT_EQ(client.end(true), ErrorCode::none);
  EXPECT_EQ(again.end(true), ErrorCode::none);
  EXPECT_EQ(again.identity.epoch, client.identity.epoch);
  EXPECT_EQ(again.end(true), ErrorCode::invalid_txn_state);  // nothing was begun
  EXPECT_EQ(client.end(false), ErrorCode::none);             // but it may be aborted
}

// --- offsets

TEST_P(Transactions, offsets_count_when_their_transaction_commits) {
  for (const auto kind : {TxnClient::Kind::plain, TxnClient::Kind::bumping}) {
    const std::string group = kind == TxnClient::Kind::plain ? "plain" : "bumping";
    TxnClient client(line, group, kind);
    EXPECT_EQ(client.init(), ErrorCode::none);
    EXPECT_EQ(client.commit_offset(group, "t", 0, 7), ErrorCode::none);
    EXPECT_EQ(fetch_offset(line, group, "t", 0, false).committed_offset, -1);
    EXPECT_EQ(fetch_offset(line, group, "t", 0, true).error_code, ErrorCode::unstable_offset_commit);
    EXPECT_EQ(client.end(false), ErrorCode::none);
    const auto is_stable = [&] {
      return fetch_offset(line, group, "t", 0, true).error_code == ErrorCode::none;
    };
    EXPECT_TRUE(world.until(is_stable));
    EXPECT_EQ(fetch_offset(line, group, "t", 0, true).committed_offset, -1);

    EXPECT_EQ(client.commit_offset(group, "t", 0, 8), ErrorCode::none);
    EXPECT_EQ(client.end(true), ErrorCode::none);
    EXPECT_TRUE(world.until(is_stable));
    EXPECT_EQ(fetch_offset(line, group, "t", 0, true).committed_offset, 8);
  }
}

TEST_P(Transactions, offsets_of_a_transaction_that_does_not_run_are_refused) {
  TxnClient client(line, "id", TxnClient::Kind::plain);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.ask_to_commit("g", "t", 0, 7, 3), ErrorCode::invalid_txn_state);
  EXPECT_EQ(client.ask_to_commit("g", "t", 0, 7, 4), ErrorCode::transaction_abortable);
  --client.identity.epoch;
  EXPECT_EQ(client.ask_to_commit("g", "t", 0, 7, 5), ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(fetch_offset(line, "g", "t", 0, true).committed_offset, -1);
}

TEST_P(Transactions, offsets_of_a_group_without_a_name_begin_no_transaction) {
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.ask_to_commit("", "t", 0, 7, 5), ErrorCode::invalid_group_id);
  EXPECT_EQ(client.end(true), ErrorCode::invalid_txn_state);
}

TEST_P(Transactions, clients_that_take_loading_for_the_end_are_told_to_look_for_the_coordinator) {
  TxnClient client(line, "id", TxnClient::Kind::plain);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.commit_offset("g", "t", 0, 7), ErrorCode::none);
  for (const auto& [version, expected] : {std::pair{1, ErrorCode::coordinator_not_available},
                                          std::pair{2, ErrorCode::coordinator_load_in_progress}}) {
    world.stop();
    world.start();
    Line after(world);
    client.use(after);
    const ErrorCode answer = client.ask_to_commit("g", "t", 0, 7, static_cast<std::int16_t>(version));
    // With more shards it may have loaded by then.
    if (GetParam() == 1 || answer != ErrorCode::none) EXPECT_EQ(answer, expected) << version;
  }
}

// --- restarts

TEST_P(Transactions, a_restart_finds_open_transactions_and_held_offsets) {
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 0, 2), ErrorCode::none);
  EXPECT_EQ(client.commit_offset("g", "t", 1, 5), ErrorCode::none);
  world.stop();
  world.start();
  Line after(world);
  client.use(after);
  EXPECT_TRUE(read(after, "t", 0, 0, kCommitted).values.empty());
  // Coordinators load first; clients ask again.
  EXPECT_TRUE(world.until([&] {
    return fetch_offset(after, "g", "t", 1, true).error_code == ErrorCode::unstable_offset_commit;
  }));
  EXPECT_TRUE(world.until([&] { return client.end(true) == ErrorCode::none; }));
  EXPECT_TRUE(world.until([&] { return read(after, "t", 0, 0, kCommitted).values.size() == 2; }));
  const auto is_committed = [&] { return fetch_offset(after, "g", "t", 1, true).committed_offset == 5; };
  EXPECT_TRUE(world.until(is_committed));
}

// --- what a transaction costs

TEST(TransactionCost, is_two_frames_of_the_journal_where_all_is_in_one) {
  TestWorld world(1);
  Line line(world);
  create_topic(line, "t", 3);
  make_coordinators(line);
  make_transaction_coordinators(line);
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  EXPECT_EQ(client.init(), ErrorCode::none);
  const auto frames = [&] { return world.broker.metrics().at(0).journal_frames; };
  const auto transaction = [&] {
    EXPECT_EQ(client.produce("t", 0, 1), ErrorCode::none);  // the addition, the records
    EXPECT_EQ(client.end(true), ErrorCode::none);           // the decision, the marker, that it is complete
  };
  transaction();
  const std::uint64_t before = frames();
  for (int each = 0; each < 10; ++each) transaction();
  EXPECT_EQ(frames() - before, 20U);
  // Offsets and more partitions are in the same frames.
  EXPECT_EQ(client.produce("t", 1, 1), ErrorCode::none);
  EXPECT_EQ(client.commit_offset("g", "t", 1, 5), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 2, 1), ErrorCode::none);
  EXPECT_EQ(client.end(true), ErrorCode::none);
  EXPECT_EQ(frames() - before, 24U);
  EXPECT_EQ(world.broker.metrics().at(0).journal_write.count, frames());
}

// The log of a transaction holds all of its partitions in each entry.
TEST(TransactionCost, is_one_entry_for_all_partitions_that_a_request_brings) {
  TestWorld world(1, 1, {{"transaction.state.log.num.partitions", "1"}});
  Line line(world);
  create_topic(line, "t", 40);
  make_transaction_coordinators(line);
  const auto entries = [&] { return fetch(line, "__transaction_state", 0, 0).high_watermark; };
  for (const auto kind : {TxnClient::Kind::bumping, TxnClient::Kind::plain}) {
    TxnClient client(line, kind == TxnClient::Kind::plain ? "plain" : "bumping", kind);
    EXPECT_EQ(client.init(), ErrorCode::none);
    const std::int64_t before = entries();
    EXPECT_EQ(client.add("t", up_to(40)), ErrorCode::none);
    const auto told = client.take_all(client.post_to_all("t", up_to(40), 1));
    EXPECT_EQ(told, (std::map<ErrorCode, std::size_t>{{ErrorCode::none, 40}}));
    EXPECT_EQ(entries(), before + 1);
    EXPECT_EQ(client.end(true), ErrorCode::none);
  }
}

// Its leaders meet the end of the last transaction, whose markers are on their way to other journals.
TEST(TransactionCost, a_request_with_many_partitions_waits_as_one) {
  TestWorld world(3);
  Line line(world);
  create_topic(line, "t", 300);
  make_transaction_coordinators(line);
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  EXPECT_EQ(client.init(), ErrorCode::none);
  world.disk.set_write_time(Duration::from_ms(20));
  for (int round = 0; round < 3; ++round) {
    const auto told = client.take_all(client.post_to_all("t", up_to(300), 1));
    EXPECT_EQ(told, (std::map<ErrorCode, std::size_t>{{ErrorCode::none, 300}})) << "round " << round;
    EXPECT_EQ(client.end(true), ErrorCode::none);
  }
}

// --- transactions that nobody ends

TEST_P(Transactions, what_hangs_is_found_and_aborted_what_runs_is_left_alone) {
  verify_nothing();
  TxnClient lost(line, "lost", TxnClient::Kind::plain);
  EXPECT_EQ(lost.init(), ErrorCode::none);
  EXPECT_EQ(lost.produce("t", 0, 2), ErrorCode::none);  // without having added the partition
  TxnClient slow(line, "slow", TxnClient::Kind::plain);
  slow.timeout_ms = 300'000;
  EXPECT_EQ(slow.init(), ErrorCode::none);
  EXPECT_EQ(slow.add("t", {1}), ErrorCode::none);
  EXPECT_EQ(slow.produce("t", 1, 1), ErrorCode::none);

  world.pass(Duration::from_ms(31'000));
  EXPECT_EQ(latest(0, kCommitted), 3);
  EXPECT_TRUE(read(line, "t", 0, 0, kCommitted).values.empty());
  EXPECT_EQ(latest(1, kCommitted), 0);
  EXPECT_EQ(slow.end(true), ErrorCode::none);
  expect_marked(1, 2);
  EXPECT_EQ(read(line, "t", 1, 0, kCommitted).values.size(), 1U);
}

TEST_P(Transactions, who_goes_on_writing_does_not_hang) {
  verify_nothing();
  TxnClient busy(line, "busy", TxnClient::Kind::plain);
  EXPECT_EQ(busy.init(), ErrorCode::none);
  for (int each = 0; each < 12; ++each) {
    EXPECT_EQ(busy.produce("t", 0, 1), ErrorCode::none);  // without having added the partition
    world.pass(Duration::from_ms(5'000));
    EXPECT_EQ(latest(0, kCommitted), 0) << each;
  }
  EXPECT_EQ(latest(0, kUncommitted), 12);
  world.pass(Duration::from_ms(31'000));
  EXPECT_EQ(latest(0, kCommitted), 13);
}

// --- administration

TEST_P(Transactions, are_described_and_listed) {
  TxnClient client(line, "id", TxnClient::Kind::plain);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.add("t", {0, 1}), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 1, 2), ErrorCode::none);

  wire::DescribeTransactionsRequest describe;
  describe.transactional_ids = {"id", "nobody", "id"};
  const auto described = line.ask(0, describe);
  ASSERT_EQ(described.transaction_states.size(), 2U);
  const auto& state = described.transaction_states[0];
  EXPECT_EQ(state.transaction_state, "Ongoing");
  EXPECT_EQ(state.producer_id, client.identity.id);
  ASSERT_EQ(state.topics.size(), 1U);
  EXPECT_EQ(state.topics[0].partitions, (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(described.transaction_states[1].error_code, ErrorCode::transactional_id_not_found);

  wire::ListTransactionsRequest list;
  list.state_filters = {"Ongoing", "Sleeping"};
  auto listed = line.ask(1, list);
  EXPECT_EQ(listed.unknown_state_filters, std::vector<std::string>{"Sleeping"});
  ASSERT_EQ(listed.transaction_states.size(), 1U);
  EXPECT_EQ(listed.transaction_states[0].transactional_id, "id");
  list.state_filters = {"CompleteCommit"};
  EXPECT_TRUE(line.ask(1, list).transaction_states.empty());
  list.state_filters.clear();
  list.transactional_id_pattern = "[a-z]{2}";
  EXPECT_EQ(line.ask(2, list).transaction_states.size(), 1U);
  list.transactional_id_pattern = "i";
  EXPECT_TRUE(line.ask(2, list).transaction_states.empty());
  list.transactional_id_pattern = "*";
  EXPECT_EQ(line.ask(2, list).error_code, ErrorCode::invalid_regular_expression);

  wire::DescribeProducersRequest producers;
  producers.topics.push_back({.name = "t", .partition_indexes = {1, 9, 1}});
  producers.topics.push_back({.name = "t", .partition_indexes = {1}});
  const auto producing = line.ask(0, producers);
  ASSERT_EQ(producing.topics.size(), 1U);
  const auto known = producing.topics[0].partitions;
  ASSERT_EQ(known.size(), 2U) << "each is described once";
  ASSERT_EQ(known.at(0).active_producers.size(), 1U);
  EXPECT_EQ(known[0].active_producers[0].producer_id, client.identity.id);
  EXPECT_EQ(known[0].active_producers[0].current_txn_start_offset, 0);
  EXPECT_EQ(known[0].active_producers[0].last_sequence, 1);
  EXPECT_EQ(known.at(1).error_code, ErrorCode::unknown_topic_or_partition);
}

TEST_P(Transactions, questions_and_additions_are_answered_partition_by_partition) {
  create_topic(line, "u", 2);
  TxnClient client(line, "id", TxnClient::Kind::plain);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.add("t", {0, 2}), ErrorCode::none);
  const auto errors = [](const auto& topics) {
    std::vector<ErrorCode> all;
    for (const auto& topic : topics) {
      for (const auto& part : topic.results_by_partition) all.push_back(part.partition_error_code);
    }
    return all;
  };
  wire::AddPartitionsToTxnRequest verify;
  verify.transactions.push_back({.transactional_id = "id",
                                 .producer_id = client.identity.id,
                                 .producer_epoch = client.identity.epoch,
                                 .verify_only = true,
                                 .topics = {{"t", {2, 9, 1, 0, 1, 9}}, {"gone", {0}}, {"u", {1, 0}}}});
  constexpr ErrorCode kUnknown = ErrorCode::unknown_topic_or_partition;
  constexpr ErrorCode kMissing = ErrorCode::transaction_abortable;
  EXPECT_EQ(errors(line.ask(4, verify).results_by_transaction.at(0).topic_results),
            (std::vector{ErrorCode::none, kUnknown, kMissing, ErrorCode::none, kMissing, kUnknown, kUnknown,
                         kMissing, kMissing}));
  wire::AddPartitionsToTxnRequest add;
  add.v3_and_below_transactional_id = "id";
  add.v3_and_below_producer_id = client.identity.id;
  add.v3_and_below_producer_epoch = client.identity.epoch;
  add.v3_and_below_topics = {{"t", {1, 9}}, {"gone", {0}}, {"u", {0}}};
  constexpr ErrorCode kNotTried = ErrorCode::operation_not_attempted;
  EXPECT_EQ(errors(line.ask(3, add).results_by_topic_v3_and_below),
            (std::vector{kNotTried, kUnknown, kUnknown, kNotTried}));
}

TEST_P(Transactions, a_silent_producer_is_forgotten_when_the_cluster_says_so) {
  TxnClient client(line, "id", TxnClient::Kind::bumping);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 1, 1), ErrorCode::none);
  EXPECT_EQ(client.end(true), ErrorCode::none);
  expect_marked(1, 2);
  wire::DescribeProducersRequest producers;
  producers.topics.push_back({.name = "t", .partition_indexes = {1}});
  const auto known = [&] {
    return line.ask(0, producers).topics.at(0).partitions.at(0).active_producers.size();
  };
  world.pass(Duration::from_ms(400'000));
  EXPECT_EQ(known(), 1U);
  wire::IncrementalAlterConfigsRequest request;
  auto& broker = request.resources.emplace_back();
  broker.resource_type = 4;
  broker.resource_name = "";
  broker.configs.push_back({.name = "producer.id.expiration.ms", .value = "60000"});
  ASSERT_EQ(line.ask(1, request).responses.at(0).error_code, ErrorCode::none);
  world.pass(Duration::from_ms(400'000));
  EXPECT_EQ(known(), 0U);
}

TEST_P(Transactions, markers_can_be_written_by_hand) {
  TxnClient client(line, "id", TxnClient::Kind::plain);
  EXPECT_EQ(client.init(), ErrorCode::none);
  EXPECT_EQ(client.add("t", {0}), ErrorCode::none);
  EXPECT_EQ(client.produce("t", 0, 1), ErrorCode::none);
  wire::WriteTxnMarkersRequest request;
  auto& marker = request.markers.emplace_back();
  marker.producer_id = client.identity.id;
  marker.producer_epoch = static_cast<std::int16_t>(client.identity.epoch - 1);
  marker.topics.push_back({.name = "t", .partition_indexes = {0, 7}});
  auto partitions = line.ask(1, request).markers.at(0).topics.at(0).partitions;
  EXPECT_EQ(partitions.at(0).error_code, ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(partitions.at(1).error_code, ErrorCode::unknown_topic_or_partition);
  marker.producer_epoch = client.identity.epoch;
  partitions = line.ask(1, request).markers.at(0).topics.at(0).partitions;
  EXPECT_EQ(partitions.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(latest(0, kCommitted), 2);
}

}  // namespace
}  // namespace tailwater::sim
