// Goal: the rules of transactions, one by one: who may begin, add, end, and who is fenced. Method: pure
// functions on hand-made states; the gate and every decision are tried against every state.
#include "core/txn/decide.hpp"

#include <gtest/gtest.h>

namespace tailwater::txn {
namespace {

constexpr WallTime kNow{10'000};
constexpr ProducerId kFresh{900};
constexpr State kStates[] = {State::empty,         State::ongoing,         State::prepare_commit,
                             State::prepare_abort, State::complete_commit, State::complete_abort};

Metadata metadata(State state, std::int16_t epoch = 5, ClientVersion version = ClientVersion::plain) {
  Metadata made;
  made.producer = {ProducerId{7}, ProducerEpoch{epoch}};
  made.timeout_ms = 1'000;
  made.state = state;
  made.start_ms = 9'500;
  made.last_update_ms = 9'900;
  made.version = version;
  if (state == State::ongoing || is_deciding(state)) made.partitions = {{"t", 0}};
  return made;
}

ProducerIdentity producer(std::int16_t epoch, std::int64_t id = 7) {
  return {ProducerId{id}, ProducerEpoch{epoch}};
}
InitRequest init(std::optional<ProducerIdentity> expected = {}) {
  return {"id", 2'000, expected};
}
AddRequest add(std::int16_t epoch) {
  return {"id", producer(epoch), {{"t", 1}}, ClientVersion::plain};
}
EndRequest end(std::int16_t epoch, Outcome outcome, ClientVersion version) {
  return {"id", producer(epoch), outcome, version};
}

using Kind = Decision::Kind;

TEST(Gate, every_written_state_has_its_predecessors) {
  const std::map<State, std::set<State>> allowed = {
      {State::empty, {State::empty, State::complete_commit, State::complete_abort}},
      {State::ongoing, {State::empty, State::ongoing, State::complete_commit, State::complete_abort}},
      {State::prepare_commit, {State::ongoing}},
      {State::prepare_abort, {State::empty, State::ongoing, State::complete_commit, State::complete_abort}},
      {State::complete_commit, {State::prepare_commit}},
      {State::complete_abort, {State::prepare_abort}},
      {State::dead, {State::empty, State::complete_commit, State::complete_abort}},
      {State::prepare_epoch_fence, {}}};
  for (const auto& [to, from] : allowed) {
    for (const State each : kStates) EXPECT_EQ(may_follow(each, to), from.contains(each)) << name_of(to);
  }
}

TEST(Gate, whatever_is_decided_passes) {
  for (const State state : kStates) {
    for (const auto version : {ClientVersion::plain, ClientVersion::bumping}) {
      const Metadata current = metadata(state, 5, version);
      const Decision decisions[] = {decide(current, init(), kNow, kFresh), decide(current, add(5), kNow),
                                    decide(current, end(5, Outcome::commit, version), kNow, kFresh),
                                    decide(current, end(5, Outcome::abort, version), kNow, kFresh)};
      for (const Decision& decision : decisions) {
        if (decision.kind != Kind::write && decision.kind != Kind::write_then_ask) continue;
        EXPECT_TRUE(may_follow(state, decision.next.state)) << name_of(state);
      }
    }
  }
}

TEST(Init, a_new_id_gets_a_producer_with_epoch_0) {
  EXPECT_EQ(decide(Metadata{}, init(), kNow, {}).kind, Kind::need_producer_id);
  const Decision decision = decide(Metadata{}, init(), kNow, kFresh);
  ASSERT_EQ(decision.kind, Kind::write);
  EXPECT_EQ(decision.next.producer, (ProducerIdentity{kFresh, ProducerEpoch{0}}));
  EXPECT_EQ(decision.next.timeout_ms, 2'000);
}

TEST(Init, raises_the_epoch_of_an_idle_id) {
  for (const State state : {State::empty, State::complete_commit, State::complete_abort}) {
    const Decision decision = decide(metadata(state), init(), kNow, {});
    ASSERT_EQ(decision.kind, Kind::write);
    EXPECT_EQ(decision.next.producer, producer(6));
    EXPECT_EQ(decision.next.state, State::empty);
    EXPECT_EQ(decision.next.last_epoch, ProducerEpoch{-1});
  }
}

TEST(Init, waits_while_markers_are_written) {
  EXPECT_EQ(decide(metadata(State::prepare_commit), init(), kNow, {}).kind, Kind::wait);
  EXPECT_EQ(decide(metadata(State::prepare_abort), init(producer(5)), kNow, {}).kind, Kind::wait);
}

TEST(Init, fences_and_aborts_what_runs) {
  const Decision decision = decide(metadata(State::ongoing), init(), kNow, {});
  ASSERT_EQ(decision.kind, Kind::write_then_ask);
  EXPECT_EQ(decision.next.state, State::prepare_abort);
  EXPECT_EQ(decision.next.producer, producer(6));
  EXPECT_EQ(decision.next.partitions.size(), 1U);
}

TEST(Init, a_client_that_lost_its_epoch_does_not_abort_what_its_heir_has_begun) {
  EXPECT_EQ(decide(metadata(State::ongoing), init(producer(4)), kNow, {}).error, ErrorCode::producer_fenced);
}

TEST(Init, continues_for_who_knows_the_epoch_and_answers_again_for_who_lost_the_answer) {
  const Decision first = decide(metadata(State::empty), init(producer(5)), kNow, {});
  ASSERT_EQ(first.kind, Kind::write);
  EXPECT_EQ(first.next.producer, producer(6));
  EXPECT_EQ(first.next.last_epoch, ProducerEpoch{5});
  const Decision again = decide(first.next, init(producer(5)), kNow, {});
  ASSERT_EQ(again.kind, Kind::write);
  EXPECT_EQ(again.next.producer, producer(6));
  EXPECT_EQ(decide(first.next, init(producer(4)), kNow, {}).error, ErrorCode::producer_fenced);
  EXPECT_EQ(decide(first.next, init(producer(6, 8)), kNow, {}).error, ErrorCode::producer_fenced);
  // Somebody else came in between: nobody may be told of their epoch.
  const Decision other = decide(first.next, init(), kNow, {});
  EXPECT_EQ(decide(other.next, init(producer(6)), kNow, {}).error, ErrorCode::producer_fenced);
}

TEST(Init, used_up_epochs_bring_a_new_producer_id) {
  const Metadata last = metadata(State::empty, kLastEpoch);
  EXPECT_EQ(decide(last, init(), kNow, {}).kind, Kind::need_producer_id);
  const Decision decision = decide(last, init(producer(kLastEpoch)), kNow, kFresh);
  ASSERT_EQ(decision.kind, Kind::write);
  EXPECT_EQ(decision.next.producer, (ProducerIdentity{kFresh, ProducerEpoch{0}}));
  EXPECT_EQ(decision.next.previous_id, ProducerId{7});
  const Decision again = decide(decision.next, init(producer(kLastEpoch)), kNow, {});
  ASSERT_EQ(again.kind, Kind::write);
  EXPECT_EQ(again.next.producer, decision.next.producer);
  // The epoch above the last is there to fence whoever holds the last.
  const Metadata fencing = fenced(metadata(State::ongoing, kLastEpoch), kNow, {}).value();
  EXPECT_EQ(fencing.producer.epoch.value, INT16_MAX);
  EXPECT_EQ(decide(completed(fencing, kNow), init(), kNow, {}).kind, Kind::need_producer_id);
  // Whoever has fenced it itself, by beginning anew, does not get that epoch either.
  const Decision own = decide(metadata(State::ongoing, kLastEpoch), init(producer(kLastEpoch)), kNow, {});
  ASSERT_EQ(own.kind, Kind::write_then_ask);
  const Metadata over = completed(own.next, kNow);
  EXPECT_EQ(decide(over, init(producer(kLastEpoch)), kNow, {}).kind, Kind::need_producer_id);
  const Decision begun = decide(over, init(producer(kLastEpoch)), kNow, kFresh);
  EXPECT_EQ(begun.next.producer, producer(0, kFresh.value));
  EXPECT_EQ(decide(begun.next, init(producer(kLastEpoch)), kNow, {}).next.producer, begun.next.producer);
}

TEST(Init, of_the_next_producer_waits_for_the_end_that_made_it) {
  const auto bumping = ClientVersion::bumping;
  const Metadata last = metadata(State::ongoing, kLastEpoch, bumping);
  const Metadata ending = decide(last, end(kLastEpoch, Outcome::commit, bumping), kNow, kFresh).next;
  EXPECT_EQ(decide(ending, init(producer(0, kFresh.value)), kNow, {}).kind, Kind::wait);
  const Metadata done = completed(ending, kNow);
  EXPECT_EQ(decide(done, init(producer(0, kFresh.value)), kNow, {}).next.producer, producer(1, kFresh.value));
}

TEST(Add, begins_and_grows_a_transaction) {
  for (const State state : {State::empty, State::complete_commit, State::complete_abort}) {
    const Decision decision = decide(metadata(state), add(5), kNow);
    ASSERT_EQ(decision.kind, Kind::write);
    EXPECT_EQ(decision.next.state, State::ongoing);
    EXPECT_EQ(decision.next.start_ms, kNow.ms);
    EXPECT_EQ(decision.next.partitions, (std::set<TopicPartition>{{"t", 1}}));
  }
  const Decision more = decide(metadata(State::ongoing), add(5), kNow);
  ASSERT_EQ(more.kind, Kind::write);
  EXPECT_EQ(more.next.start_ms, 9'500);
  EXPECT_EQ(more.next.partitions.size(), 2U);
  EXPECT_EQ(decide(more.next, add(5), kNow).error, ErrorCode::none);
  EXPECT_EQ(decide(more.next, add(5), kNow).kind, Kind::refuse);
}

TEST(Add, is_only_for_the_producer_of_now) {
  for (const State state : kStates) {
    EXPECT_EQ(decide(metadata(state), add(4), kNow).error, ErrorCode::producer_fenced);
    EXPECT_EQ(decide(metadata(state), add(6), kNow).error, ErrorCode::producer_fenced);
    AddRequest other = add(5);
    other.producer.id = ProducerId{8};
    EXPECT_EQ(decide(metadata(state), other, kNow).error, ErrorCode::invalid_producer_id_mapping);
  }
  EXPECT_EQ(decide(metadata(State::prepare_abort), add(5), kNow).kind, Kind::wait);
}

TEST(Add, of_the_next_producer_waits_for_the_end_that_made_it) {
  const auto bumping = ClientVersion::bumping;
  const Metadata last = metadata(State::ongoing, kLastEpoch, bumping);
  const Metadata ending = decide(last, end(kLastEpoch, Outcome::commit, bumping), kNow, kFresh).next;
  AddRequest next = add(0);
  next.producer.id = kFresh;
  EXPECT_EQ(decide(ending, next, kNow).kind, Kind::wait);
  EXPECT_EQ(decide(ending, VerifyRequest{"id", next.producer, {{"t", 1}}}).kind, Kind::wait);
  EXPECT_EQ(decide(ending, add(kLastEpoch), kNow).error, ErrorCode::producer_fenced);
  EXPECT_EQ(decide(ending, add(INT16_MAX), kNow).error, ErrorCode::producer_fenced);
  EXPECT_EQ(decide(completed(ending, kNow), next, kNow).kind, Kind::write);
}

TEST(Add, nobody_owns_an_id_that_was_not_given_out) {
  Metadata fresh;
  AddRequest asked = add(-1);
  asked.producer = fresh.producer;
  EXPECT_EQ(decide(fresh, asked, kNow).error, ErrorCode::invalid_producer_id_mapping);
  EndRequest ending = end(-1, Outcome::abort, ClientVersion::bumping);
  ending.producer = fresh.producer;
  EXPECT_EQ(decide(fresh, ending, kNow, kFresh).error, ErrorCode::invalid_producer_id_mapping);
}

TEST(Add, nobody_has_the_epoch_that_is_there_to_fence) {
  const Metadata fencing = fenced(metadata(State::ongoing, kLastEpoch), kNow, {}).value();
  const Metadata over = completed(fencing, kNow);
  EXPECT_EQ(decide(over, add(INT16_MAX), kNow).error, ErrorCode::producer_fenced);
  for (const auto version : {ClientVersion::plain, ClientVersion::bumping}) {
    EXPECT_EQ(decide(over, end(INT16_MAX, Outcome::abort, version), kNow, kFresh).error,
              ErrorCode::producer_fenced);
  }
}

TEST(End, of_a_plain_client_keeps_the_epoch) {
  const auto plain = ClientVersion::plain;
  const Decision commit = decide(metadata(State::ongoing), end(5, Outcome::commit, plain), kNow, {});
  ASSERT_EQ(commit.kind, Kind::write);
  EXPECT_EQ(commit.next.state, State::prepare_commit);
  EXPECT_EQ(commit.next.producer, producer(5));
  const Metadata done = completed(commit.next, kNow);
  EXPECT_EQ(done.state, State::complete_commit);
  EXPECT_TRUE(done.partitions.empty());
  EXPECT_EQ(decide(done, end(5, Outcome::commit, plain), kNow, {}).error, ErrorCode::none);
  EXPECT_EQ(decide(done, end(5, Outcome::abort, plain), kNow, {}).error, ErrorCode::invalid_txn_state);
  EXPECT_EQ(decide(commit.next, end(5, Outcome::commit, plain), kNow, {}).kind, Kind::wait);
  EXPECT_EQ(decide(commit.next, end(5, Outcome::abort, plain), kNow, {}).error, ErrorCode::invalid_txn_state);
  EXPECT_EQ(decide(metadata(State::empty), end(5, Outcome::abort, plain), kNow, {}).error,
            ErrorCode::invalid_txn_state);
}

TEST(End, of_a_client_that_bumps_gives_the_next_epoch) {
  const auto bumping = ClientVersion::bumping;
  const Metadata running = metadata(State::ongoing, 5, bumping);
  const Decision commit = decide(running, end(5, Outcome::commit, bumping), kNow, {});
  ASSERT_EQ(commit.kind, Kind::write);
  EXPECT_EQ(commit.next.producer, producer(6));
  EXPECT_EQ(identity_after(commit.next), producer(6));
  EXPECT_EQ(decide(commit.next, end(5, Outcome::commit, bumping), kNow, {}).kind, Kind::wait);
  // The client has that epoch by now, and may end a transaction in which it did nothing.
  EXPECT_EQ(decide(commit.next, end(6, Outcome::abort, bumping), kNow, {}).kind, Kind::wait);
  EXPECT_EQ(decide(commit.next, end(4, Outcome::abort, bumping), kNow, {}).error, ErrorCode::producer_fenced);
  EXPECT_EQ(decide(commit.next, end(7, Outcome::abort, bumping), kNow, {}).error, ErrorCode::producer_fenced);
  const Metadata done = completed(commit.next, kNow);
  EXPECT_EQ(decide(done, end(5, Outcome::commit, bumping), kNow, {}).error, ErrorCode::none);
  EXPECT_EQ(decide(done, end(5, Outcome::abort, bumping), kNow, {}).error, ErrorCode::invalid_txn_state);
  EXPECT_EQ(decide(done, end(6, Outcome::commit, bumping), kNow, {}).error, ErrorCode::invalid_txn_state);
  EXPECT_EQ(decide(done, end(4, Outcome::commit, bumping), kNow, {}).error, ErrorCode::producer_fenced);
  const Decision nothing = decide(done, end(6, Outcome::abort, bumping), kNow, {});
  ASSERT_EQ(nothing.kind, Kind::write);
  EXPECT_EQ(nothing.next.producer, producer(7));
}

TEST(End, that_comes_late_does_not_end_the_next_transaction) {
  const auto bumping = ClientVersion::bumping;
  const Metadata next = metadata(State::ongoing, 6, bumping);  // the one before ended with epoch 5
  for (const Outcome outcome : {Outcome::commit, Outcome::abort}) {
    EXPECT_EQ(decide(next, end(5, outcome, bumping), kNow, {}).error, ErrorCode::producer_fenced);
  }
}

TEST(End, by_whom_an_initialization_has_fenced_is_not_told_the_new_epoch) {
  const auto bumping = ClientVersion::bumping;
  const Metadata begun = decide(metadata(State::complete_commit, 6, bumping), init(), kNow, {}).next;
  EXPECT_EQ(decide(begun, end(6, Outcome::abort, bumping), kNow, {}).error, ErrorCode::producer_fenced);
  // A plain transaction gives no epoch to whoever knows the one before.
  const Metadata plain = metadata(State::complete_commit, 6);
  EXPECT_EQ(decide(plain, end(5, Outcome::commit, bumping), kNow, {}).error, ErrorCode::producer_fenced);
}

TEST(End, with_the_last_epoch_brings_a_new_producer_id) {
  const auto bumping = ClientVersion::bumping;
  const Metadata last = metadata(State::ongoing, kLastEpoch, bumping);
  EXPECT_EQ(decide(last, end(kLastEpoch, Outcome::commit, bumping), kNow, {}).kind, Kind::need_producer_id);
  const Decision commit = decide(last, end(kLastEpoch, Outcome::commit, bumping), kNow, kFresh);
  ASSERT_EQ(commit.kind, Kind::write);
  EXPECT_EQ(commit.next.producer.id, ProducerId{7});  // markers still carry the old id
  EXPECT_EQ(commit.next.producer.epoch.value, INT16_MAX);
  EXPECT_EQ(identity_after(commit.next), (ProducerIdentity{kFresh, ProducerEpoch{0}}));
  const Metadata done = completed(commit.next, kNow);
  EXPECT_EQ(done.producer, (ProducerIdentity{kFresh, ProducerEpoch{0}}));
  EXPECT_EQ(decide(done, end(kLastEpoch, Outcome::commit, bumping), kNow, {}).error, ErrorCode::none);
}

TEST(End, that_the_coordinator_came_before_is_told_so) {
  const auto bumping = ClientVersion::bumping;
  const Metadata ending = fenced(metadata(State::ongoing, 5, bumping), kNow, {}).value();
  for (const Metadata& each : {ending, completed(ending, kNow)}) {
    EXPECT_EQ(decide(each, end(5, Outcome::commit, bumping), kNow, {}).error, ErrorCode::producer_fenced);
  }
  EXPECT_EQ(decide(ending, end(5, Outcome::abort, bumping), kNow, {}).kind, Kind::wait);
  EXPECT_EQ(decide(completed(ending, kNow), end(5, Outcome::abort, bumping), kNow, {}).error,
            ErrorCode::none);
}

TEST(End, with_the_last_epoch_that_the_coordinator_came_before_gets_a_new_producer_id) {
  const auto bumping = ClientVersion::bumping;
  const Metadata last = metadata(State::ongoing, kLastEpoch, bumping);
  EXPECT_FALSE(fenced(last, kNow, {}));
  EXPECT_EQ(decide(last, init(), kNow, {}).kind, Kind::need_producer_id);
  const Metadata ending = fenced(last, kNow, kFresh).value();
  EXPECT_EQ(ending.producer, producer(INT16_MAX));
  const Metadata over = completed(ending, kNow);
  EXPECT_EQ(decide(over, end(kLastEpoch, Outcome::abort, bumping), kNow, {}).error, ErrorCode::none);
  EXPECT_EQ(identity_after(over), producer(0, kFresh.value));
  EXPECT_EQ(decide(over, end(kLastEpoch, Outcome::commit, bumping), kNow, {}).error,
            ErrorCode::producer_fenced);
  // Whoever began anew meanwhile, and waited, goes on as the new one.
  const Decision begun = decide(last, init(producer(kLastEpoch)), kNow, kFresh);
  ASSERT_EQ(begun.kind, Kind::write_then_ask);
  const Decision again = decide(completed(begun.next, kNow), init(producer(kLastEpoch)), kNow, {});
  ASSERT_EQ(again.kind, Kind::write);
  EXPECT_EQ(again.next.producer, producer(0, kFresh.value));
}

TEST(Timeout, of_a_transaction_with_the_epoch_above_the_last_keeps_that) {
  const Metadata fencing = fenced(metadata(State::ongoing, INT16_MAX), kNow, {}).value();
  EXPECT_EQ(fencing.producer.epoch.value, INT16_MAX);
}

TEST(Timeout, counts_from_the_beginning) {
  EXPECT_FALSE(is_overdue(metadata(State::ongoing), WallTime{10'500}));
  EXPECT_TRUE(is_overdue(metadata(State::ongoing), WallTime{10'501}));
  EXPECT_FALSE(is_overdue(metadata(State::prepare_abort), WallTime{99'999}));
  EXPECT_TRUE(is_expired(metadata(State::empty), WallTime{19'900}, Duration::from_ms(10'000)));
  EXPECT_FALSE(is_expired(metadata(State::ongoing), WallTime{99'999}, Duration::from_ms(10'000)));
}

}  // namespace
}  // namespace tailwater::txn
