// Goal: the ledger believes a broker what may be true after a power loss, a death or damage, and nothing
// more. Method: what clients would tell it, by hand.
#include "sim/ledger.hpp"

#include <gtest/gtest.h>

namespace tailwater::sim {
namespace {

class LedgerTest : public testing::Test {
 protected:
  void use(Hold hold, Retention retention = Retention::keeps) {
    track = ledger.add_track("t-0", retention, hold);
    writer = ledger.add_writer("writer", Promise::at_least_once);
  }
  // Sends the next record; returns its number.
  std::uint64_t send() {
    const std::uint64_t number = ledger.next_number(writer);
    ledger.sent(writer, track, as_bytes(value(number)));
    return number;
  }
  void acknowledge(std::uint64_t number, std::int64_t offset) { ledger.acknowledged(writer, number, offset); }
  void write_up_to(std::int64_t end) {
    for (std::int64_t offset = 0; offset < end; ++offset) acknowledge(send(), offset);
  }
  void see(std::int64_t offset, std::uint64_t number) { ledger.seen(track, offset, as_bytes(value(number))); }
  std::string value(std::uint64_t number) const { return Ledger::value_of(writer, number, 3); }
  // What is said when a last look finds these records at the offsets of their numbers.
  std::string judge(const std::vector<std::uint64_t>& found) {
    ledger.begin_last_look();
    for (const std::uint64_t number : found) see(static_cast<std::int64_t>(number), number);
    ledger.judge();
    return ledger.failure();
  }

  Ledger ledger;
  TrackNumber track;
  WriterNumber writer;
};

TEST_F(LedgerTest, a_power_loss_takes_nothing_that_is_held) {
  use(Hold::all);
  write_up_to(3);
  ledger.died();
  ledger.power_lost();
  EXPECT_EQ(judge({0, 1}), "I1: writer's record 2, acknowledged at offset 2 of t-0, is lost");
}

TEST_F(LedgerTest, a_power_loss_may_take_the_end_of_what_holds_its_beginning) {
  use(Hold::beginning);
  write_up_to(3);
  ledger.power_lost();
  EXPECT_EQ(judge({0, 1}), "");
}

TEST_F(LedgerTest, nothing_before_what_is_left) {
  use(Hold::beginning);
  write_up_to(3);
  ledger.power_lost();
  EXPECT_EQ(judge({0, 2}), "I1: writer's record 1, acknowledged at offset 1 of t-0, is lost");
}

TEST_F(LedgerTest, nothing_that_was_synced) {
  use(Hold::beginning);
  write_up_to(3);
  ledger.all_synced();
  ledger.power_lost();
  EXPECT_EQ(judge({0, 1}), "I1: writer's record 2, acknowledged at offset 2 of t-0, is lost");
}

TEST_F(LedgerTest, the_end_is_never_before_what_was_deleted) {
  use(Hold::beginning);
  write_up_to(3);
  ledger.deletion_asked(track, 3);
  ledger.deletion_done(track, 3);
  ledger.power_lost();
  ledger.died();
  EXPECT_EQ(ledger.floor(track).start, 3);
  EXPECT_EQ(ledger.floor(track).end, 3);
}

TEST_F(LedgerTest, a_clean_stop_says_nothing_of_what_was_lost_before_it) {
  use(Hold::beginning);
  write_up_to(2);
  ledger.power_lost();
  // Is there, though its writer was not told so.
  const std::uint64_t later = send();
  ledger.watermarks(track, ledger.floor(track), 0, 2, 2);
  ledger.all_synced();
  ledger.begin_last_look();
  see(0, 0);
  see(1, later);
  ledger.judge();
  EXPECT_EQ(ledger.failure(), "");
}

TEST_F(LedgerTest, a_death_alone_takes_nothing) {
  use(Hold::beginning);
  write_up_to(3);
  ledger.died();
  EXPECT_EQ(judge({0, 1}), "I1: writer's record 2, acknowledged at offset 2 of t-0, is lost");
}

TEST_F(LedgerTest, what_was_lost_makes_place) {
  use(Hold::beginning);
  write_up_to(3);
  ledger.power_lost();
  const std::uint64_t later = send();
  acknowledge(later, 1);
  ledger.begin_last_look();
  see(0, 0);
  see(1, later);
  ledger.judge();
  EXPECT_EQ(ledger.failure(), "");
}

TEST_F(LedgerTest, what_was_sent_after_the_loss_stays) {
  use(Hold::beginning);
  write_up_to(2);
  ledger.power_lost();
  acknowledge(send(), 2);
  EXPECT_EQ(judge({0, 1}), "I1: writer's record 2, acknowledged at offset 2 of t-0, is lost");
}

TEST_F(LedgerTest, a_late_acknowledgement_of_what_was_lost_promises_nothing) {
  use(Hold::beginning);
  write_up_to(1);
  const std::uint64_t under_way = send();
  ledger.power_lost();
  acknowledge(under_way, 1);
  EXPECT_EQ(ledger.floor(track).end, 0);
  EXPECT_EQ(judge({0}), "");
}

TEST_F(LedgerTest, one_place_has_one_record_in_one_era) {
  use(Hold::beginning);
  write_up_to(1);
  acknowledge(send(), 0);
  EXPECT_EQ(ledger.failure(), "I2: t-0 offset 0 was writer's record 0 and is writer's record 1");
}

TEST_F(LedgerTest, only_what_is_damaged_may_be_told_to_be) {
  use(Hold::all);
  write_up_to(6);
  ledger.damaged(track, 2, 5);
  ledger.begin_last_look();
  see(0, 0);
  see(1, 1);
  EXPECT_EQ(ledger.told_damaged(track, 2), 5);
  see(5, 5);
  ledger.judge();
  EXPECT_EQ(ledger.failure(), "");
  EXPECT_EQ(ledger.told_damaged(track, 5), 5);
  EXPECT_EQ(ledger.failure(), "S6: t-0 offset 5 is told to be damaged, and is not");
}

TEST_F(LedgerTest, what_is_damaged_has_to_be_told) {
  use(Hold::all);
  write_up_to(3);
  ledger.damaged(track, 1, 2);
  EXPECT_EQ(judge({0, 2}), "I1: writer's record 1, acknowledged at offset 1 of t-0, is lost");
}

TEST_F(LedgerTest, a_compacted_partition_without_damage_is_not_told_to_have_any) {
  use(Hold::all);
  ledger.damaged(track, 4, 7);
  EXPECT_EQ(ledger.told_damaged_in_compacted(track, 2), 7);
  EXPECT_EQ(ledger.told_damaged_in_compacted(track, 7), 8);
  EXPECT_EQ(ledger.failure(), "");
  const TrackNumber other = ledger.add_track("t-1", Retention::expires);
  ledger.told_damaged_in_compacted(other, 2);
  EXPECT_EQ(ledger.failure(), "S6: t-1 offset 2 is told to be damaged, and nothing is");
}

TEST_F(LedgerTest, a_start_that_nobody_was_promised_may_go_back_when_the_broker_dies) {
  use(Hold::all, Retention::expires);
  write_up_to(6);
  ledger.deletion_asked(track, 2);
  ledger.deletion_done(track, 2);
  ledger.watermarks(track, ledger.floor(track), 4, 6, 6);
  EXPECT_EQ(ledger.floor(track).start, 4);
  const Ledger::Floor before = ledger.floor(track);
  ledger.died();
  EXPECT_EQ(ledger.floor(track).start, 2);
  ledger.watermarks(track, before, 3, 6, 6);
  EXPECT_EQ(ledger.failure(), "") << "an answer of the life before";
  ledger.watermarks(track, ledger.floor(track), 1, 6, 6);
  EXPECT_NE(ledger.failure().find("the log's start went back"), std::string::npos) << ledger.failure();
}

// Who reads with a version that does not tell the start asks for it.
TEST_F(LedgerTest, what_lies_before_a_start_that_was_asked_for_is_not_lost) {
  use(Hold::all, Retention::expires);
  write_up_to(6);
  ledger.watermarks(track, ledger.floor(track), -1, 6, 6);
  EXPECT_EQ(ledger.floor(track).start, 0);
  ledger.starts_at(track, ledger.floor(track), 5);
  EXPECT_EQ(ledger.floor(track).start, 5);
  ledger.starts_at(track, ledger.floor(track), 4);
  EXPECT_NE(ledger.failure().find("the log's start went back"), std::string::npos) << ledger.failure();
}

TEST_F(LedgerTest, what_is_stable_does_not_go_back) {
  use(Hold::all);
  write_up_to(6);
  ledger.watermarks(track, ledger.floor(track), 0, 4, 6);
  ledger.died();
  ledger.watermarks(track, ledger.floor(track), 0, 3, 6);
  EXPECT_NE(ledger.failure().find("the last stable offset went back"), std::string::npos) << ledger.failure();
}

TEST_F(LedgerTest, the_latest_offset_is_behind_what_was_acknowledged) {
  use(Hold::all);
  write_up_to(6);
  ledger.latest(track, ledger.floor(track), Ledger::Latest::end, 6);
  EXPECT_EQ(ledger.failure(), "");
  ledger.latest(track, ledger.floor(track), Ledger::Latest::end, 5);
  EXPECT_EQ(ledger.failure(), "I15: the latest offset of t-0 is 5, and 6 was known before");
}

TEST_F(LedgerTest, the_latest_of_committed_records_is_between_what_was_stable_and_the_end) {
  use(Hold::all);
  write_up_to(6);
  ledger.watermarks(track, ledger.floor(track), 0, 4, 6);
  ledger.latest(track, ledger.floor(track), Ledger::Latest::stable, 4);
  EXPECT_EQ(ledger.failure(), "");
  ledger.latest(track, ledger.floor(track), Ledger::Latest::stable, 3);
  EXPECT_EQ(ledger.failure(), "I15: the latest offset of t-0 is 3, and 4 was known before");
}

TEST_F(LedgerTest, what_is_stable_is_not_beyond_the_end) {
  use(Hold::all);
  write_up_to(6);
  ledger.latest(track, ledger.floor(track), Ledger::Latest::stable, 8);
  ledger.watermarks(track, ledger.floor(track), 0, 6, 6);
  EXPECT_NE(ledger.failure().find("the high watermark went back"), std::string::npos) << ledger.failure();
}

TEST_F(LedgerTest, a_marker_takes_no_records_place) {
  use(Hold::all);
  write_up_to(2);
  ledger.marker_seen(track, 2);
  ledger.marker_seen(track, 2);
  EXPECT_EQ(ledger.failure(), "");
  ledger.marker_seen(track, 1);
  EXPECT_EQ(ledger.failure(), "I2: t-0 offset 1 was writer's record 1 and is a marker");
}

TEST_F(LedgerTest, nor_a_record_that_of_a_marker) {
  use(Hold::all);
  ledger.marker_seen(track, 0);
  acknowledge(send(), 0);
  EXPECT_EQ(ledger.failure(), "I2: t-0 offset 0 was a marker and is writer's record 0");
}

}  // namespace
}  // namespace tailwater::sim
