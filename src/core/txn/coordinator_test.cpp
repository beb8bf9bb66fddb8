// Goal: what the coordinator makes of decisions: order of writes and answers, patience, markers until all are
// there, timeouts, expiry, restarts. Method: the harness, with writes and markers held back where that
// matters.
#include "core/txn/coordinator.hpp"

#include <gtest/gtest.h>

#include "core/txn/test_harness.hpp"

namespace tailwater::txn {
namespace {

const TopicPartition kA{"t", 0};
const TopicPartition kB{"t", 1};

class TxnCoordinatorTest : public testing::Test {
 protected:
  ProducerIdentity begin(const std::string& id = "id") {
    const ProducerIdentity producer = harness.producer(harness.init(id));
    EXPECT_EQ(harness.error(harness.add(id, producer, {kA, kB})), ErrorCode::none);
    return producer;
  }
  std::string state(const std::string& id = "id") {
    return harness.coordinator->describe(id).transaction_state;
  }
  Harness harness;
};

TEST_F(TxnCoordinatorTest, nothing_is_answered_before_it_is_written) {
  harness.writes_at_once = false;
  const Ticket init = harness.init("id");
  EXPECT_EQ(harness.answer(init), nullptr);
  harness.write();
  ASSERT_NE(harness.answer(init), nullptr);
  const Ticket first = harness.add("id", harness.producer(init), {kA});
  const Ticket second = harness.add("id", harness.producer(init), {kB});  // does not wait for the first
  EXPECT_EQ(harness.appends.size(), 2U);
  const Ticket known = harness.add("id", harness.producer(init), {kA});
  EXPECT_EQ(harness.appends.size(), 2U);
  EXPECT_EQ(harness.answer(known), nullptr);
  harness.write();
  EXPECT_EQ(harness.error(first), ErrorCode::none);
  EXPECT_EQ(harness.answer(second), nullptr);
  harness.write();
  EXPECT_EQ(harness.error(second), ErrorCode::none);
  EXPECT_EQ(harness.error(known), ErrorCode::none);
}

TEST_F(TxnCoordinatorTest, a_transaction_grows_no_larger_than_a_batch) {
  harness.coordinator->limit_batches(2'000);
  const ProducerIdentity producer = begin();
  std::size_t refused = 0;
  for (std::int32_t number = 0; number < 50; ++number) {
    const std::string topic = "a topic of a hundred bytes" + std::string(70, '.') + std::to_string(number);
    const Ticket ticket = harness.add("id", producer, {{topic, 0}});
    ASSERT_NE(harness.answer(ticket), nullptr);
    if (harness.error(ticket) == ErrorCode::unknown_server_error) ++refused;
  }
  EXPECT_GT(refused, 30U);
  EXPECT_LT(refused, 45U);
  EXPECT_EQ(harness.error(harness.end("id", producer, Outcome::commit)), ErrorCode::none);
  for (const Buffer& batch : harness.log) EXPECT_LE(batch.size(), 2'000U);
}

TEST_F(TxnCoordinatorTest, an_end_follows_additions_and_takes_them_along) {
  const ProducerIdentity producer = begin();
  harness.writes_at_once = false;
  harness.marks_at_once = false;
  harness.add("id", producer, {{"u", 0}});
  const Ticket end = harness.end("id", producer, Outcome::commit);
  EXPECT_EQ(harness.appends.size(), 2U);
  harness.write();
  EXPECT_EQ(harness.answer(end), nullptr);
  harness.write();
  EXPECT_EQ(harness.error(end), ErrorCode::none);
  EXPECT_EQ(harness.markers.size(), 3U);
}

TEST_F(TxnCoordinatorTest, markers_go_out_when_the_decision_is_written_and_free_the_id) {
  const ProducerIdentity producer = begin();
  harness.writes_at_once = false;
  harness.marks_at_once = false;
  const Ticket end = harness.end("id", producer, Outcome::commit);
  EXPECT_TRUE(harness.markers.empty());
  harness.write();
  EXPECT_EQ(harness.error(end), ErrorCode::none);
  ASSERT_EQ(harness.markers.size(), 2U);
  EXPECT_EQ(harness.markers[0].outcome, Outcome::commit);
  EXPECT_EQ(harness.markers[0].producer, producer);
  const Ticket next = harness.add("id", producer, {kA});
  harness.mark();
  EXPECT_EQ(harness.answer(next), nullptr);
  harness.mark();
  EXPECT_EQ(state(), "PrepareCommit");
  EXPECT_EQ(harness.appends.size(), 2U);  // that it is complete, and the addition that waited, behind it
  harness.write();
  EXPECT_EQ(state(), "CompleteCommit");
  EXPECT_EQ(harness.answer(next), nullptr);
  harness.write();
  EXPECT_EQ(harness.error(next), ErrorCode::none);
  EXPECT_EQ(state(), "Ongoing");
}

TEST_F(TxnCoordinatorTest, logs_that_keep_nothing_without_ours_do_not_wait) {
  const ProducerIdentity producer = harness.producer(harness.init("id"));
  harness.writes_at_once = harness.marks_at_once = false;
  harness.goes_before = [](const TopicPartition& each) { return each == kA; };
  const Ticket near = harness.add_behind("id", producer, kA);
  EXPECT_EQ(harness.error(near), ErrorCode::none);
  const Ticket far = harness.add_behind("id", producer, kB);
  EXPECT_EQ(harness.answer(far), nullptr);
  const Ticket client = harness.add("id", producer, {{"u", 0}});  // it has to be durable for others
  EXPECT_EQ(harness.answer(client), nullptr);
  harness.write();
  harness.write();
  EXPECT_EQ(harness.error(far), ErrorCode::none);
  const Ticket end = harness.end("id", producer, Outcome::commit, ClientVersion::bumping);
  ASSERT_EQ(harness.markers.size(), 1U);  // of the one that is near, behind the decision that is not durable
  EXPECT_EQ(harness.markers[0].partition, kA);
  EXPECT_EQ(harness.markers[0].producer.epoch.value, producer.epoch.value + 1);
  harness.mark();
  EXPECT_EQ(harness.appends.size(), 2U);  // the client's addition and the decision
  harness.write();
  EXPECT_EQ(harness.answer(end), nullptr);
  harness.write();
  EXPECT_EQ(harness.error(end), ErrorCode::none);
  EXPECT_EQ(harness.markers.size(), 2U);  // the others
}

TEST_F(TxnCoordinatorTest, a_leader_of_several_waits_if_one_of_them_has_to) {
  const ProducerIdentity producer = harness.producer(harness.init("id"));
  harness.writes_at_once = false;
  harness.goes_before = [](const TopicPartition& each) { return each == kA; };
  const Ticket both = harness.add_behind("id", producer, {kA, kB});
  EXPECT_EQ(harness.answer(both), nullptr);
  harness.goes_before = [](const TopicPartition&) { return true; };
  const Ticket more = harness.add_behind("id", producer, {kB, {"u", 0}, {"u", 1}});
  EXPECT_EQ(harness.error(more), ErrorCode::none);
  harness.write();
  EXPECT_EQ(harness.error(both), ErrorCode::none);
}

TEST_F(TxnCoordinatorTest, what_was_proposed_before_a_refused_write_stays) {
  const ProducerIdentity producer = harness.producer(harness.init("id"));
  harness.writes_at_once = false;
  harness.add("id", producer, {kB});
  const Ticket lost = harness.add("id", producer, {{"u", 0}});
  const Ticket behind = harness.add("id", producer, {{"u", 1}, kA});
  harness.coordinator->persisted(harness.appends[1].token, ErrorCode::kafka_storage_error, harness.now,
                                 harness.out);
  harness.appends.resize(1);
  EXPECT_FALSE(harness.may_be_open(producer, {"u", 0}));
  harness.add("id", producer, {kA});
  const Ticket end = harness.end("id", producer, Outcome::commit);
  EXPECT_EQ(harness.error(lost), ErrorCode::not_coordinator);
  EXPECT_EQ(harness.error(behind), ErrorCode::not_coordinator);
  while (!harness.appends.empty()) harness.write();
  EXPECT_EQ(harness.error(end), ErrorCode::none);
  ASSERT_EQ(harness.marked.size(), 2U);
  EXPECT_EQ(harness.marked[0].partition, kA);
  EXPECT_EQ(harness.marked[1].partition, kB);
  EXPECT_EQ(state(), "CompleteCommit");
}

TEST_F(TxnCoordinatorTest, additions_on_their_way_weigh_what_they_add) {
  harness.options.memory_max = std::size_t{1} << 20;
  harness.restart();
  harness.goes_before = [](const TopicPartition&) { return true; };
  const ProducerIdentity producer = harness.producer(harness.init("id"));
  harness.writes_at_once = false;
  for (std::int32_t each = 0; each < 200; ++each) {
    EXPECT_EQ(harness.error(harness.add_behind("id", producer, {"t", each})), ErrorCode::none);
  }
  const std::size_t all_in_flight = harness.coordinator->memory();
  const Ticket other = harness.init("other");
  while (!harness.appends.empty()) harness.write();
  EXPECT_EQ(harness.error(other), ErrorCode::none);
  EXPECT_LT(harness.coordinator->memory(), all_in_flight);
}

TEST_F(TxnCoordinatorTest, all_of_a_transaction_may_stand_behind_each_other) {
  harness.goes_before = [](const TopicPartition&) { return true; };
  ProducerIdentity producer = harness.producer(harness.init("id"));
  harness.writes_at_once = false;
  std::vector<Ticket> ends;
  for (int each = 0; each < 3; ++each) {
    EXPECT_EQ(harness.error(harness.add_behind("id", producer, kA)), ErrorCode::none);
    ends.push_back(harness.end("id", producer, Outcome::commit, ClientVersion::bumping));
    ++producer.epoch.value;
    EXPECT_EQ(harness.may_be_open(producer, kA), true);
  }
  EXPECT_EQ(harness.appends.size(), 9U);
  EXPECT_EQ(harness.marked.size(), 3U);
  for (const Ticket end : ends) {
    harness.write();
    EXPECT_EQ(harness.answer(end), nullptr);
    harness.write();
    EXPECT_EQ(harness.error(end), ErrorCode::none);
    harness.write();
    EXPECT_EQ(state(), "CompleteCommit");
  }
  EXPECT_EQ(harness.may_be_open(producer, kA), false);
  EXPECT_TRUE(harness.markers.empty());
}

TEST_F(TxnCoordinatorTest, what_stands_behind_a_refused_write_never_was) {
  harness.goes_before = [](const TopicPartition& each) { return each == kA; };
  const ProducerIdentity producer = begin();
  harness.writes_at_once = harness.marks_at_once = false;
  const Ticket end = harness.end("id", producer, Outcome::commit, ClientVersion::bumping);
  ASSERT_EQ(harness.markers.size(), 1U);
  const MarkerToken early = harness.markers[0].token;
  harness.write(ErrorCode::kafka_storage_error);
  EXPECT_EQ(harness.error(end), ErrorCode::not_coordinator);
  EXPECT_EQ(state(), "Ongoing");
  harness.markers.clear();
  harness.coordinator->marked(early, ErrorCode::none, harness.now, harness.out);
  EXPECT_TRUE(harness.out.empty());
  EXPECT_EQ(state(), "Ongoing");
}

TEST_F(TxnCoordinatorTest, a_marker_that_fails_before_the_decision_is_durable_waits_for_it) {
  harness.goes_before = [](const TopicPartition&) { return true; };
  const ProducerIdentity producer = begin();
  harness.writes_at_once = harness.marks_at_once = false;
  harness.end("id", producer, Outcome::commit);
  harness.mark(ErrorCode::not_leader_or_follower);
  harness.mark();
  harness.advance_ms(1'000);
  EXPECT_TRUE(harness.markers.empty());
  harness.write();
  ASSERT_EQ(harness.markers.size(), 1U);
  harness.mark();
  harness.write();
  EXPECT_EQ(state(), "CompleteCommit");
}

TEST_F(TxnCoordinatorTest, nothing_is_verified_behind_an_end_that_is_being_written) {
  const ProducerIdentity producer = begin();
  harness.writes_at_once = false;
  harness.add("id", producer, {{"u", 0}});
  EXPECT_EQ(harness.error(harness.verify("id", producer, {kA})), ErrorCode::none);
  harness.end("id", producer, Outcome::commit);
  const Ticket late = harness.verify("id", producer, {kA});
  EXPECT_EQ(harness.answer(late), nullptr);
  while (!harness.appends.empty()) harness.write();
  ASSERT_NE(harness.answer(late), nullptr);
  EXPECT_EQ(harness.answer(late)->missing, (std::vector<TopicPartition>{kA}));
}

TEST_F(TxnCoordinatorTest, an_id_that_expires_is_not_touched) {
  harness.options.id_expiration = Duration::from_ms(7'200'000);
  harness.restart();
  const ProducerIdentity producer = harness.producer(harness.init("id"));
  harness.writes_at_once = false;
  harness.advance_ms(7'200'000);
  ASSERT_EQ(harness.appends.size(), 1U);
  const Ticket add = harness.add("id", producer, {kA});
  const Ticket init = harness.init("id");
  harness.write();
  EXPECT_EQ(harness.error(add), ErrorCode::invalid_producer_id_mapping);
  harness.write();
  EXPECT_EQ(harness.error(init), ErrorCode::none);
}

TEST_F(TxnCoordinatorTest, patience_ends) {
  const ProducerIdentity producer = begin();
  harness.marks_at_once = false;
  harness.end("id", producer, Outcome::abort);
  const Ticket next = harness.add("id", producer, {kA});
  harness.advance_ms(99);
  EXPECT_EQ(harness.answer(next), nullptr);
  harness.advance_ms(1);
  EXPECT_EQ(harness.error(next), ErrorCode::concurrent_transactions);
}

TEST_F(TxnCoordinatorTest, too_many_do_not_wait) {
  const ProducerIdentity producer = begin();
  harness.marks_at_once = false;
  harness.end("id", producer, Outcome::abort);
  for (std::size_t each = 0; each < harness.options.waiting_max; ++each) harness.add("id", producer, {kA});
  EXPECT_EQ(harness.error(harness.add("id", producer, {kA})), ErrorCode::concurrent_transactions);
}

TEST_F(TxnCoordinatorTest, an_initialization_aborts_what_runs_and_is_answered_once_that_is_over) {
  const ProducerIdentity producer = begin();
  const Ticket heir = harness.init("id");
  EXPECT_EQ(harness.error(heir), ErrorCode::none);
  EXPECT_EQ(harness.producer(heir).epoch.value, producer.epoch.value + 2);
  ASSERT_EQ(harness.marked.size(), 2U);
  EXPECT_EQ(harness.marked[0].outcome, Outcome::abort);
  EXPECT_EQ(harness.marked[0].producer.epoch.value, producer.epoch.value + 1);
  EXPECT_EQ(harness.error(harness.end("id", producer, Outcome::commit)), ErrorCode::producer_fenced);
}

TEST_F(TxnCoordinatorTest, markers_are_tried_until_they_are_there) {
  const ProducerIdentity producer = begin();
  harness.marks_at_once = false;
  harness.end("id", producer, Outcome::commit);
  harness.mark(ErrorCode::not_leader_or_follower);
  harness.mark();
  EXPECT_EQ(state(), "PrepareCommit");
  harness.advance_ms(100);
  ASSERT_EQ(harness.markers.size(), 1U);
  EXPECT_EQ(harness.markers[0].partition, kA);
  harness.mark();
  EXPECT_EQ(state(), "CompleteCommit");
}

TEST_F(TxnCoordinatorTest, partitions_that_are_gone_need_no_marker) {
  const ProducerIdentity producer = begin();
  harness.marks_at_once = false;
  harness.end("id", producer, Outcome::commit);
  harness.mark(ErrorCode::unknown_topic_or_partition);
  harness.mark(ErrorCode::invalid_producer_epoch);
  EXPECT_EQ(state(), "CompleteCommit");
  EXPECT_EQ(harness.notes.size(), 1U);
}

TEST_F(TxnCoordinatorTest, a_decision_that_is_written_survives_a_restart) {
  const ProducerIdentity producer = begin();
  harness.marks_at_once = false;
  harness.end("id", producer, Outcome::commit);
  harness.epoch = 4;
  harness.restart();
  ASSERT_EQ(harness.markers.size(), 2U);
  EXPECT_EQ(harness.markers[0].outcome, Outcome::commit);
  EXPECT_EQ(harness.markers[0].coordinator_epoch, 4);
  harness.mark();
  harness.mark();
  EXPECT_EQ(state(), "CompleteCommit");
}

TEST_F(TxnCoordinatorTest, a_decision_that_was_not_written_never_was) {
  const ProducerIdentity producer = begin();
  harness.writes_at_once = false;
  harness.end("id", producer, Outcome::commit);
  harness.restart();
  EXPECT_EQ(state(), "Ongoing");
  EXPECT_TRUE(harness.markers.empty());
}

TEST_F(TxnCoordinatorTest, a_refused_write_changes_nothing) {
  const ProducerIdentity producer = begin();
  harness.writes_at_once = false;
  const Ticket end = harness.end("id", producer, Outcome::commit);
  const Ticket waits = harness.init("id");
  harness.write(ErrorCode::kafka_storage_error);
  EXPECT_EQ(harness.error(end), ErrorCode::not_coordinator);
  EXPECT_EQ(harness.error(waits), ErrorCode::not_coordinator);
  EXPECT_EQ(state(), "Ongoing");
  harness.init("new");
  harness.write(ErrorCode::request_timed_out);
  EXPECT_EQ(harness.coordinator->size(), 1U);
}

TEST_F(TxnCoordinatorTest, a_completion_that_cannot_be_written_is_tried_again) {
  const ProducerIdentity producer = begin();
  harness.end("id", producer, Outcome::commit);
  const ProducerIdentity other = begin("other");
  harness.writes_at_once = false;
  harness.end("other", other, Outcome::commit);
  harness.write();
  harness.write(ErrorCode::request_timed_out);
  EXPECT_EQ(state("other"), "PrepareCommit");
  harness.writes_at_once = true;
  harness.advance_ms(100);
  EXPECT_EQ(state("other"), "CompleteCommit");
}

TEST_F(TxnCoordinatorTest, what_outlives_its_timeout_is_aborted_and_fenced) {
  const ProducerIdentity producer = begin();
  harness.advance_ms(59'999);
  EXPECT_EQ(state(), "Ongoing");
  harness.advance_ms(10'000);
  EXPECT_EQ(state(), "CompleteAbort");
  EXPECT_EQ(harness.error(harness.add("id", producer, {kA})), ErrorCode::producer_fenced);
}

TEST_F(TxnCoordinatorTest, whose_time_was_over_goes_on_unless_somebody_else_came) {
  const ProducerIdentity producer = begin();
  harness.advance_ms(70'000);
  ASSERT_EQ(state(), "CompleteAbort");
  const Ticket again = harness.init("id", producer);
  ASSERT_EQ(harness.error(again), ErrorCode::none);
  const ProducerIdentity next = harness.producer(again);
  EXPECT_EQ(next.id, producer.id);
  EXPECT_GT(next.epoch, producer.epoch);
  EXPECT_EQ(harness.error(harness.add("id", next, {kA})), ErrorCode::none);
  harness.advance_ms(70'000);
  ASSERT_EQ(state(), "CompleteAbort");
  ASSERT_EQ(harness.error(harness.init("id")), ErrorCode::none);
  EXPECT_EQ(harness.error(harness.init("id", next)), ErrorCode::producer_fenced);
}

// One transaction after the other, until the client has the last epoch, and some more.
class UsedUpEpochs : public TxnCoordinatorTest {
 protected:
  void transact() {
    ASSERT_EQ(harness.error(harness.add("id", producer, {kA}, ClientVersion::bumping)), ErrorCode::none);
    end(Outcome::commit);
  }
  void end(Outcome outcome) {
    const Ticket ended = harness.end("id", producer, outcome, ClientVersion::bumping);
    ASSERT_EQ(harness.error(ended), ErrorCode::none);
    producer = harness.producer(ended);
  }
  void use_up() {
    producer = harness.producer(harness.init("id"));
    while (producer.epoch.value < kLastEpoch && !HasFatalFailure()) transact();
    ASSERT_EQ(producer.epoch.value, kLastEpoch);
  }
  ProducerIdentity producer;
};

TEST_F(UsedUpEpochs, the_next_transaction_waits_for_the_markers_of_the_last) {
  use_up();
  const ProducerId before = producer.id;
  harness.marks_at_once = false;
  transact();
  ASSERT_NE(producer.id, before);
  const Ticket added = harness.add("id", producer, {kB}, ClientVersion::bumping);
  EXPECT_EQ(harness.answer(added), nullptr);
  harness.marks_at_once = true;
  harness.mark();
  EXPECT_EQ(harness.error(added), ErrorCode::none);
  end(Outcome::commit);
  EXPECT_EQ(producer.epoch.value, 1);
}

TEST_F(UsedUpEpochs, an_abort_that_comes_after_the_timeout_brings_a_new_producer_id) {
  use_up();
  const ProducerId before = producer.id;
  ASSERT_EQ(harness.error(harness.add("id", producer, {kA}, ClientVersion::bumping)), ErrorCode::none);
  harness.advance_ms(90'000);
  EXPECT_EQ(state(), "CompleteAbort");
  end(Outcome::abort);
  EXPECT_NE(producer.id, before);
  EXPECT_EQ(producer.epoch.value, 0);
  transact();
  EXPECT_EQ(producer.epoch.value, 1);
}

TEST_F(TxnCoordinatorTest, a_timeout_goes_on_over_a_restart) {
  begin();
  harness.advance_ms(50'000);
  harness.restart();
  harness.advance_ms(9'000);
  EXPECT_EQ(state(), "Ongoing");
  harness.advance_ms(11'000);
  EXPECT_EQ(state(), "CompleteAbort");
}

TEST_F(TxnCoordinatorTest, unused_ids_expire) {
  harness.options.id_expiration = Duration::from_ms(7'200'000);
  harness.restart();
  const ProducerIdentity producer = begin("done");
  harness.end("done", producer, Outcome::commit);
  harness.init("idle");
  harness.advance_ms(3'600'000);
  EXPECT_EQ(harness.coordinator->size(), 2U);
  harness.advance_ms(7'200'000);
  EXPECT_EQ(harness.coordinator->size(), 0U);
  EXPECT_EQ(harness.coordinator->memory(), 0U);
  harness.restart();
  EXPECT_EQ(harness.coordinator->size(), 0U);
  EXPECT_EQ(harness.error(harness.add("done", producer, {kA})), ErrorCode::invalid_producer_id_mapping);
}

TEST_F(TxnCoordinatorTest, verifies_what_belongs_and_what_does_not) {
  const ProducerIdentity producer = begin();
  const Ticket both = harness.verify("id", producer, {kA, {"u", 3}});
  EXPECT_EQ(harness.error(both), ErrorCode::none);
  EXPECT_EQ(harness.answer(both)->missing, (std::vector<TopicPartition>{{"u", 3}}));
  const ProducerIdentity old{producer.id, ProducerEpoch{-1}};
  EXPECT_EQ(harness.error(harness.verify("id", old, {kA})), ErrorCode::producer_fenced);
  EXPECT_EQ(harness.error(harness.verify("no", producer, {kA})), ErrorCode::invalid_producer_id_mapping);
  harness.end("id", producer, Outcome::commit);
  const Ticket late = harness.verify("id", producer, {kA});
  EXPECT_EQ(harness.answer(late)->missing, (std::vector<TopicPartition>{kA}));
}

TEST_F(TxnCoordinatorTest, requests_with_nothing_to_stand_on_are_refused) {
  EXPECT_EQ(harness.error(harness.init("")), ErrorCode::invalid_request);
  EXPECT_EQ(harness.error(harness.init("id", {}, 0)), ErrorCode::invalid_transaction_timeout);
  EXPECT_EQ(harness.error(harness.init("id", {}, 900'001)), ErrorCode::invalid_transaction_timeout);
  EXPECT_EQ(harness.error(harness.end("id", {}, Outcome::abort)), ErrorCode::invalid_producer_id_mapping);
  TxnEffects out;
  TxnCoordinator loading({});
  loading.init(Ticket{1}, {"id", 1'000, {}}, harness.now, out);
  EXPECT_EQ(out.replies.at(0).answer.error, ErrorCode::coordinator_load_in_progress);
}

TEST_F(TxnCoordinatorTest, no_producer_ids_refuse_and_forget_the_newcomer) {
  harness.ids_at_once = false;
  const Ticket init = harness.init("id");
  EXPECT_TRUE(harness.id_wanted);
  harness.coordinator->no_producer_id(harness.now, harness.out);
  EXPECT_EQ(harness.out.replies.at(0).ticket, init);
  EXPECT_EQ(harness.out.replies.at(0).answer.error, ErrorCode::coordinator_not_available);
  EXPECT_EQ(harness.coordinator->size(), 0U);
}

TEST_F(TxnCoordinatorTest, whoever_waits_when_it_ends_is_told) {
  const ProducerIdentity producer = begin();
  harness.writes_at_once = false;
  const Ticket end = harness.end("id", producer, Outcome::commit);
  const Ticket waits = harness.init("id");
  harness.coordinator->unload(harness.out);
  ASSERT_EQ(harness.out.replies.size(), 2U);
  for (const Reply& reply : harness.out.replies) {
    EXPECT_TRUE(reply.ticket == end || reply.ticket == waits);
    EXPECT_EQ(reply.answer.error, ErrorCode::not_coordinator);
  }
}

TEST_F(TxnCoordinatorTest, knows_which_transactions_may_be_open) {
  const ProducerIdentity producer = begin();
  EXPECT_EQ(harness.may_be_open(producer, kA), true);
  EXPECT_EQ(harness.may_be_open(producer, {"u", 0}), false);
  EXPECT_EQ(harness.may_be_open({ProducerId{1}, ProducerEpoch{0}}, kA), false);
  harness.marks_at_once = false;
  harness.end("id", producer, Outcome::commit);
  EXPECT_EQ(harness.may_be_open(producer, kA), true);
  harness.mark();
  harness.mark();
  EXPECT_EQ(harness.may_be_open(producer, kA), false);
  harness.coordinator = std::make_unique<TxnCoordinator>(harness.options);  // one that has not loaded yet
  EXPECT_EQ(harness.may_be_open(producer, kA), true);
}

TEST_F(TxnCoordinatorTest, finds_all_that_may_be_open_in_one_look) {
  std::vector<OpenTransaction> asked;
  for (const auto* id : {"a", "b", "c"}) {
    const ProducerIdentity producer = begin(id);
    for (const TopicPartition& each : {kA, TopicPartition{"u", 0}, kB}) asked.push_back({producer, each});
  }
  asked.insert(asked.begin(), OpenTransaction{{ProducerId{1}, ProducerEpoch{0}}, kA});
  asked.push_back({{ProducerId{1'000}, ProducerEpoch{0}}, kA});
  harness.writes_at_once = false;
  harness.add("b", asked[4].producer, {{"u", 0}});
  std::vector<bool> known(asked.size());
  known[0] = true;  // another coordinator has said so
  harness.coordinator->find_open(asked, known);
  EXPECT_EQ(known, (std::vector<bool>{true, true, false, true, true, true, true, true, false, true, false}));
}

TEST_F(TxnCoordinatorTest, lists_what_passes_all_filters) {
  for (const auto* id : {"orders-1", "orders-2", "bills-1"}) harness.init(id);
  begin("orders-3");
  const auto ids = [&](const wire::ListTransactionsRequest& request) {
    std::vector<wire::ListTransactionsResponse::TransactionState> listed;
    EXPECT_EQ(harness.coordinator->list(request, harness.now.wall, listed), ErrorCode::none);
    std::string all;
    for (const auto& each : listed) all += (all.empty() ? "" : " ") + each.transactional_id;
    return all;
  };
  EXPECT_EQ(ids({}), "bills-1 orders-1 orders-2 orders-3");
  EXPECT_EQ(ids({.transactional_id_pattern = ""}), "bills-1 orders-1 orders-2 orders-3");
  EXPECT_EQ(ids({.transactional_id_pattern = "orders-[12]"}), "orders-1 orders-2");
  EXPECT_EQ(ids({.transactional_id_pattern = "orders"}), "");  // the whole id has to match
  EXPECT_EQ(ids({.producer_id_filters = {102, 100, 102}}), "bills-1 orders-1");
  EXPECT_EQ(ids({.state_filters = {"Empty", "Ongoing"}, .producer_id_filters = {101, 103}}),
            "orders-2 orders-3");
  EXPECT_EQ(ids({.state_filters = {"Ongoing"}, .transactional_id_pattern = ".*-[13]"}), "orders-3");
  std::vector<wire::ListTransactionsResponse::TransactionState> listed;
  EXPECT_EQ(harness.coordinator->list({.transactional_id_pattern = "(orders"}, harness.now.wall, listed),
            ErrorCode::invalid_regular_expression);
}

TEST_F(TxnCoordinatorTest, damaged_records_are_counted_and_passed_over) {
  TxnCoordinator other({});
  records::BatchBuilder builder;
  ASSERT_TRUE(builder.add(0, as_bytes("?"), as_bytes("?")));
  ASSERT_TRUE(builder.add(0, std::nullopt, as_bytes("?")));
  Buffer batch;
  ASSERT_TRUE(builder.finish(batch).has_value());
  EXPECT_EQ(other.replay(batch)->damaged, 2U);
  batch.back() ^= std::byte{1};
  EXPECT_FALSE(other.replay(batch).has_value());
  EXPECT_FALSE(other.replay(Bytes(batch).first(20)).has_value());
}

}  // namespace
}  // namespace tailwater::txn
