// Goal: what is written of a transaction is read again, and damaged bytes are refused. Method: round trips of
// every state; every prefix of a record.
#include "core/txn/records.hpp"

#include <gtest/gtest.h>

namespace tailwater::txn {
namespace {

Metadata example(State state) {
  Metadata made;
  made.producer = {ProducerId{7}, ProducerEpoch{3}};
  made.previous_id = ProducerId{5};
  made.next_id = ProducerId{9};
  made.timeout_ms = 60'000;
  made.state = state;
  if (state != State::empty) made.partitions = {{"a", 0}, {"a", 2}, {"b", 1}};
  made.start_ms = 11;
  made.last_update_ms = 12;
  made.version = ClientVersion::bumping;
  return made;
}

TEST(TxnRecords, are_read_as_they_were_written) {
  for (const State state : {State::empty, State::ongoing, State::prepare_commit, State::prepare_abort,
                            State::complete_commit, State::complete_abort}) {
    const Metadata metadata = example(state);
    const KeyValue record = encode("id", &metadata);
    const auto read = decode(record.key, Bytes(*record.value));
    ASSERT_TRUE(read.has_value());
    ASSERT_TRUE(read->has_value());
    EXPECT_EQ(**read, (Change{"id", metadata}));
  }
  const KeyValue tombstone = encode("id", nullptr);
  EXPECT_FALSE(tombstone.value.has_value());
  EXPECT_EQ(**decode(tombstone.key, std::nullopt), (Change{"id", std::nullopt}));
}

TEST(TxnRecords, cut_short_are_refused) {
  const Metadata metadata = example(State::ongoing);
  const KeyValue record = encode("id", &metadata);
  for (std::size_t size = 0; size < record.value->size(); ++size) {
    EXPECT_FALSE(decode(record.key, Bytes(*record.value).first(size)).has_value()) << size;
  }
  for (std::size_t size = 0; size < record.key.size(); ++size) {
    EXPECT_FALSE(decode(Bytes(record.key).first(size), Bytes(*record.value)).has_value()) << size;
  }
}

TEST(TxnRecords, in_an_unknown_state_are_refused_and_of_another_kind_passed_over) {
  Metadata metadata = example(State::ongoing);
  metadata.state = State::prepare_epoch_fence;
  KeyValue record = encode("id", &metadata);
  EXPECT_FALSE(decode(record.key, Bytes(*record.value)).has_value());
  record.key[1] = std::byte{9};
  const auto other = decode(record.key, Bytes(*record.value));
  ASSERT_TRUE(other.has_value());
  EXPECT_FALSE(other->has_value());
}

}  // namespace
}  // namespace tailwater::txn
