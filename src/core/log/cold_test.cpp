// Goal: bytes that the disk changed are never given away, are said once with their place, and are served
// again when the disk gives the right ones. Method: a log is stopped cleanly, so that all of it is in files;
// bits of these are turned; every read must give a beginning of what was written, and say why it ends.
#include <gtest/gtest.h>

#include <tuple>

#include "core/log/segment.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

constexpr std::string_view kSegment = "a-0/00000000000000000000.log";
constexpr std::string_view kIndex = "a-0/00000000000000000000.index";
constexpr std::string_view kTimeIndex = "a-0/00000000000000000000.timeindex";

constexpr int kWaitsMax = 200;

class ColdTest : public ::testing::Test {
 protected:
  ColdTest() : world(1) {
    world.start_and_recover();
    Log& log = world.create("a", {.segment_bytes = 60'000, .index_interval_bytes = 1'000});
    for (int each = 0; each < 40; ++each) {
      EXPECT_TRUE(
          world.append(log, {.value_size = 200, .count = 3, .timestamp = 1'000 + 10 * each}).has_value());
    }
    world.pump();
    id = log.id();
    model = world.models.at(id);
    world.stop();
  }

  Buffer& content(std::string_view path) { return world.disk.content(std::string(path)); }
  void flip(std::string_view path, std::size_t at, unsigned bit) {
    content(path)[at] ^= static_cast<std::byte>(1u << bit);
  }

  // Everything anew, without the checks of World that ask for all bytes.
  Log& restart() {
    if (world.storage) world.stop();
    world.faults.clear();
    world.start();
    world.pump();
    EXPECT_TRUE(world.storage->recovered());
    return *world.storage->find(id);
  }

  ReadPlan plan(Log& log, Offset from, std::vector<Bytes>& pieces, std::size_t bytes_max = 4'000) {
    for (int waits = 0;; ++waits) {
      if (waits == kWaitsMax) {
        ADD_FAILURE() << "a read waits for the disk for ever";
        return {.kind = ReadPlan::Kind::failed};
      }
      pieces.clear();
      const ReadPlan plan = world.storage->plan_read(log, {from, bytes_max, log.end_offset(), true}, pieces);
      if (plan.kind != ReadPlan::Kind::need) return plan;
      while (world.ready.empty()) world.step();
      world.ready.clear();
      for (int turn = 0; turn < turns_late; ++turn) world.turn();
    }
  }

  std::vector<std::string> take_faults() {
    world.take_news();
    return std::exchange(world.faults, {});
  }

  // What a consumer gets from the start, and how it ends.
  ReadPlan::Kind read(Log& log, Buffer& all) {
    Offset from{0};
    while (from < log.end_offset()) {
      std::vector<Bytes> pieces;
      const ReadPlan got = plan(log, from, pieces);
      if (got.kind != ReadPlan::Kind::hot) return got.kind;
      for (const Bytes piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
      world.storage->unpin(got.pin);
      from = got.next;
    }
    return ReadPlan::Kind::at_end;
  }

  template <class Look>
  TimestampAnswer answered(Look look) {
    for (int waits = 0; waits < kWaitsMax; ++waits) {
      const TimestampAnswer answer = look();
      if (answer.kind != TimestampAnswer::Kind::need) return answer;
      while (world.ready.empty()) world.step();
      world.ready.clear();
    }
    ADD_FAILURE() << "a look waits for the disk for ever";
    return {.kind = TimestampAnswer::Kind::failed};
  }
  TimestampAnswer find_timestamp(Log& log, std::int64_t at_least) {
    return answered([&] { return world.storage->find_timestamp(log, WallTime{at_least}, log.end_offset()); });
  }
  TimestampAnswer max_timestamp(Log& log, Offset upper_bound) {
    return answered([&] { return world.storage->max_timestamp(log, upper_bound); });
  }
  // For so many blocks, of which a segment has more: a look that has to walk waits, and finds gone what it
  // has seen.
  void leave_memory_for(std::uint32_t blocks) {
    world.options.cold_block_bytes = 4 << 10;
    world.options.memory_bytes = 100 * world.options.cold_block_bytes;
    world.options.cold_percent_max = blocks;
    ASSERT_GT(content(kSegment).size(), blocks * world.options.cold_block_bytes);
  }

  World world;
  LogId id;
  World::Model model;
  int turns_late = 0;  // so long a reader that was told to look again is busy elsewhere
};

TEST_F(ColdTest, NoFlippedBitOfABatchIsGivenAway) {
  const Buffer whole = content(kSegment);
  const std::size_t batch = model.batches[0].bytes.size();
  // All bits of a header in the middle, and one of every seventh byte behind it.
  const std::size_t begin = 20 * batch;
  for (std::size_t at = begin; at < begin + batch; at += at < begin + records::kBatchHeaderSize ? 1 : 7) {
    for (unsigned bit = 0; bit < 8; bit += at < begin + records::kBatchHeaderSize ? 1 : 8) {
      // The leader's epoch is under no checksum; nothing that is read depends on it.
      if (at - begin >= records::at::kLeaderEpoch && at - begin < records::at::kMagic) continue;
      flip(kSegment, at, bit);
      Log& log = restart();
      Buffer got;
      EXPECT_EQ(read(log, got), ReadPlan::Kind::corrupt) << "bit " << bit << " of byte " << at - begin;
      ASSERT_LE(got.size(), begin) << "bit " << bit << " of byte " << at - begin;
      EXPECT_TRUE(std::equal(got.begin(), got.end(), whole.begin()));
      EXPECT_EQ(world.storage->corrupt_reads(), 1u);
      const std::vector<std::string> faults = take_faults();
      ASSERT_EQ(faults.size(), 1u);
      EXPECT_TRUE(faults[0].starts_with(std::string(kSegment) + " is damaged at byte ")) << faults[0];
      flip(kSegment, at, bit);
      if (HasFailure()) return;
    }
  }
}

TEST_F(ColdTest, DamageIsSaidOnceCountedEachTimeAndNotRemembered) {
  const std::size_t at = 10 * model.batches[0].bytes.size() + 100;
  flip(kSegment, at, 3);
  Log& log = restart();
  const Offset damaged = model.batches[10].base;
  std::vector<Bytes> pieces;
  EXPECT_EQ(plan(log, damaged, pieces).kind, ReadPlan::Kind::corrupt);
  EXPECT_EQ(plan(log, damaged, pieces).kind, ReadPlan::Kind::corrupt);
  EXPECT_EQ(world.storage->corrupt_reads(), 2u);
  EXPECT_EQ(
      take_faults(),
      std::vector<std::string>{
          "a-0/00000000000000000000.log is damaged at byte " +
          std::to_string(10 * model.batches[0].bytes.size()) +
          ", offset 30: the checksum of a batch does not match; it is not served. 'tailwater log verify' "
          "lists all damage while no broker runs"});
  // The disk was wrong for a while only.
  flip(kSegment, at, 3);
  const ReadPlan again = plan(log, damaged, pieces);
  ASSERT_EQ(again.kind, ReadPlan::Kind::hot);
  EXPECT_TRUE(std::equal(pieces[0].begin(), pieces[0].begin() + 10, model.batches[10].bytes.begin()));
  world.storage->unpin(again.pin);
}

TEST_F(ColdTest, WhatComesBehindTheDamageIsGiven) {
  flip(kSegment, 10 * model.batches[0].bytes.size() + 100, 3);
  Log& log = restart();
  std::vector<Bytes> pieces;
  const ReadPlan behind = plan(log, model.batches[11].base, pieces);
  ASSERT_EQ(behind.kind, ReadPlan::Kind::hot);
  EXPECT_EQ(take_faults(), std::vector<std::string>{});
  world.storage->unpin(behind.pin);
}

// A write that went to another place: whole batches, each with its right checksum, stand where others were.
TEST_F(ColdTest, BatchesOfAnotherPlaceAreNotTakenForThoseBehindAGap) {
  const Buffer whole = content(kSegment);
  const auto size = static_cast<std::ptrdiff_t>(model.batches[0].bytes.size());
  for (const std::ptrdiff_t to : {0, 5, 10, 19}) {
    for (const std::ptrdiff_t count : {1, 2, 7}) {
      content(kSegment) = whole;
      std::copy_n(whole.begin() + 30 * size, count * size, content(kSegment).begin() + to * size);
      Log& log = restart();
      Buffer got;
      EXPECT_EQ(read(log, got), ReadPlan::Kind::corrupt);
      ASSERT_EQ(got.size(), static_cast<std::size_t>(to * size)) << count << " batches at " << to;
      EXPECT_TRUE(std::equal(got.begin(), got.end(), whole.begin()));
      const std::vector<std::string> faults = take_faults();
      ASSERT_EQ(faults.size(), 1U);
      EXPECT_TRUE(faults[0].starts_with(std::string(kSegment) + " is damaged at byte " +
                                        std::to_string(to * size) + ", "))
          << faults[0];
      for (std::ptrdiff_t each = 0; each < std::ssize(model.batches); ++each) {
        const World::ModelBatch& batch = model.batches[static_cast<std::size_t>(each)];
        std::vector<Bytes> pieces;
        const ReadPlan plan = this->plan(log, batch.base, pieces, 1);
        if (plan.kind == ReadPlan::Kind::corrupt) {
          // From the next entry of the index on all is given.
          EXPECT_TRUE(each >= to && each < to + count + 3) << "batch " << each;
          continue;
        }
        EXPECT_FALSE(each >= to && each < to + count) << "batch " << each;
        ASSERT_EQ(plan.kind, ReadPlan::Kind::hot);
        EXPECT_TRUE(std::equal(pieces[0].begin(), pieces[0].end(), batch.bytes.begin())) << "batch " << each;
        world.storage->unpin(plan.pin);
      }
    }
  }
}

TEST_F(ColdTest, ALookForATimestampMeetsDamageToo) {
  flip(kSegment, 10 * model.batches[0].bytes.size() + 100, 3);
  Log& log = restart();
  EXPECT_EQ(find_timestamp(log, 1'000 + 10 * 10).kind, TimestampAnswer::Kind::corrupt);
  EXPECT_EQ(find_timestamp(log, 1'000 + 10 * 12).kind, TimestampAnswer::Kind::found);
}

TEST_F(ColdTest, ADamagedIndexCostsAWalkAndNothingElse) {
  const Buffer index = content(kIndex);
  ASSERT_GE(index.size(), 8 * kIndexEntrySize);
  for (std::size_t at = 0; at < index.size(); ++at) {
    flip(kIndex, at, static_cast<unsigned>(at % 8));
    Log& log = restart();
    for (const World::ModelBatch& batch : model.batches) {
      std::vector<Bytes> pieces;
      const ReadPlan got = plan(log, batch.last, pieces, 1);
      ASSERT_EQ(got.kind, ReadPlan::Kind::hot) << "byte " << at;
      ASSERT_EQ(got.bytes, batch.bytes.size());
      EXPECT_TRUE(std::equal(pieces[0].begin(), pieces[0].end(), batch.bytes.begin()));
      world.storage->unpin(got.pin);
    }
    flip(kIndex, at, static_cast<unsigned>(at % 8));
  }
}

TEST_F(ColdTest, ABatchThatLiesInTwoBlocksIsReadThoughMemoryHoldsOne) {
  leave_memory_for(1);
  turns_late = 3;
  Log& log = restart();
  Buffer all;
  EXPECT_EQ(read(log, all), ReadPlan::Kind::at_end);
  EXPECT_EQ(all.size(), content(kSegment).size());
}

TEST_F(ColdTest, AShortageOfDescriptorsIsNoFaultOfTheDisk) {
  Log& log = restart();
  world.disk.no_descriptors = true;
  for (int tries = 0; tries < 3; ++tries) {
    std::vector<Bytes> pieces;
    const ReadPlan plan = world.storage->plan_read(log, {Offset{0}, 4'000, log.end_offset(), true}, pieces);
    ASSERT_EQ(plan.kind, ReadPlan::Kind::need);
    while (world.ready.empty()) world.step();
    world.ready.clear();
  }
  world.disk.no_descriptors = false;
  Buffer all;
  EXPECT_EQ(read(log, all), ReadPlan::Kind::at_end);
  EXPECT_EQ(all.size(), content(kSegment).size());
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::online);
}

TEST_F(ColdTest, AWalkGoesOnWhereItWaitedThoughMemoryHoldsLittleOfIt) {
  leave_memory_for(2);
  world.disk.lose(std::string(kIndex));
  Log& log = restart();
  for (const World::ModelBatch& batch : model.batches) {
    std::vector<Bytes> pieces;
    const ReadPlan got = plan(log, batch.last, pieces, 1);
    ASSERT_EQ(got.kind, ReadPlan::Kind::hot);
    EXPECT_TRUE(std::equal(pieces[0].begin(), pieces[0].end(), batch.bytes.begin()));
    world.storage->unpin(got.pin);
  }
}

TEST_F(ColdTest, ALookForATimestampGoesOnWhereItWaitedToo) {
  leave_memory_for(5);  // two of the indexes, and two in which a batch begins and ends
  for (const bool both : {false, true}) {
    world.disk.lose(std::string(both ? kIndex : kTimeIndex));
    Log& log = restart();
    // From the end on: what one look has learnt must serve another that wants less of it.
    for (std::size_t each = model.batches.size(); each-- > 0;) {
      const TimestampAnswer answer = find_timestamp(log, 1'000 + 10 * static_cast<std::int64_t>(each));
      ASSERT_EQ(answer.kind, TimestampAnswer::Kind::found);
      EXPECT_EQ(answer.offset, model.batches[each].base);
      EXPECT_EQ(answer.timestamp, WallTime{1'000 + 10 * static_cast<std::int64_t>(each)});
    }
  }
}

TEST_F(ColdTest, SoDoesALookForTheLargestTimestampBelowABound) {
  leave_memory_for(5);
  Log& log = restart();
  // The last record of a batch has its largest timestamp.
  for (const std::size_t each : {std::size_t{38}, std::size_t{20}, std::size_t{3}}) {
    const TimestampAnswer answer = max_timestamp(log, model.batches[each].last + 1);
    ASSERT_EQ(answer.kind, TimestampAnswer::Kind::found);
    EXPECT_EQ(answer.offset, model.batches[each].last);
    EXPECT_EQ(answer.timestamp, WallTime{1'002 + 10 * static_cast<std::int64_t>(each)});
  }
}

class LargestTest : public ColdTest, public ::testing::WithParamInterface<std::uint32_t> {};

// With segments of some batches, and with one.
INSTANTIATE_TEST_SUITE_P(Segments, LargestTest, ::testing::Values(25'000U, 1U << 20));

TEST_P(LargestTest, TimestampIsThatOfARecordThatCanBeSeen) {
  Log& log = restart();
  world.storage->set_config(log, {.segment_bytes = GetParam()});
  const auto put = [&](std::int64_t timestamp, std::int32_t count) {
    const auto appended = world.append(log, {.value_size = 1'000, .count = count, .timestamp = timestamp});
    EXPECT_TRUE(appended.has_value());
    return appended->base;
  };
  const auto expect = [&](Offset upper, Offset offset, std::int64_t timestamp) {
    const TimestampAnswer answer = max_timestamp(log, upper);
    ASSERT_EQ(answer.kind, TimestampAnswer::Kind::found) << "up to " << upper.value;
    EXPECT_EQ(answer.offset, offset) << "up to " << upper.value;
    EXPECT_EQ(answer.timestamp, WallTime{timestamp}) << "up to " << upper.value;
  };
  // Segments follow whose largest are at their beginning, each below that of the one before.
  const Offset high = put(9'000, 10);  // 9'000 to 9'009
  const Offset low = put(500, 20);
  const Offset middle = put(700, 20);
  const Offset untimed = put(-1, 1);
  const Offset end = put(9'900, 1);  // a bound: in a segment whose rest is not the largest
  world.pump();
  const std::size_t last = model.batches.size() - 1;
  expect(end, high + 9, 9'009);
  // Behind the bound: what came before counts, also of another segment.
  expect(high, model.batches[last].last, 1'002 + 10 * static_cast<std::int64_t>(last));
  // Below the start, wholly and in part.
  world.storage->set_log_start(log, high + 4);
  expect(end, high + 9, 9'009);
  world.storage->set_log_start(log, low);
  expect(end, middle + 19, 719);
  world.storage->set_log_start(log, low + 19);
  expect(middle, low + 19, 519);
  world.storage->set_log_start(log, middle + 5);
  expect(end, middle + 19, 719);
  world.storage->set_log_start(log, untimed);
  EXPECT_EQ(max_timestamp(log, end).kind, TimestampAnswer::Kind::none) << "it has none";
}

TEST_F(ColdTest, TheLargestTimestampMayBeInTheMiddleOfABatchThatTheStartCuts) {
  Log& log = restart();
  records::BatchBuilder builder({});
  for (const std::int64_t timestamp : {9'000, 8'000, 8'500, 7'000})
    EXPECT_TRUE(builder.add(timestamp, std::nullopt, as_bytes("v")));
  Buffer batch;
  EXPECT_TRUE(builder.finish(batch).has_value());
  const Offset base = log.end_offset();
  ASSERT_TRUE(world.storage->append(log, batch, info_of(batch), {.epoch = LeaderEpoch{1}}, world.now));
  world.models.at(log.id()).batches.push_back({.base = base, .last = base + 3, .bytes = batch});
  for (const auto& [start, offset, timestamp] :
       {std::tuple{0, 0, 9'000}, {1, 2, 8'500}, {2, 2, 8'500}, {3, 3, 7'000}}) {
    if (start > 0) world.storage->set_log_start(log, base + start);
    const TimestampAnswer answer = max_timestamp(log, log.end_offset());
    ASSERT_EQ(answer.kind, TimestampAnswer::Kind::found) << start;
    EXPECT_EQ(answer.offset, base + offset);
    EXPECT_EQ(answer.timestamp, WallTime{timestamp});
  }
}

TEST_F(ColdTest, BehindADamagedBatchAllIsGivenAgainFromTheNextEntryOfTheIndex) {
  const std::size_t size = model.batches[0].bytes.size();
  ASSERT_LT(size, 1'000U) << "not every batch has an entry";
  // Its length.
  flip(kSegment, 20 * size + 10, 3);
  Log& log = restart();
  for (std::size_t each = 0; each < model.batches.size(); ++each) {
    std::vector<Bytes> pieces;
    const ReadPlan got = plan(log, model.batches[each].base, pieces, 1);
    // The batch of the next entry is not below itself.
    if (each >= 20 && each <= 23) continue;
    ASSERT_EQ(got.kind, ReadPlan::Kind::hot) << "batch " << each;
    world.storage->unpin(got.pin);
  }
  for (const std::string& fault : take_faults())
    EXPECT_TRUE(fault.starts_with(std::string(kSegment) + " is damaged at byte ")) << fault;
}

TEST_F(ColdTest, ASegmentThatIsTooShortIsServedAsFarAsItGoes) {
  const Buffer whole = content(kSegment);
  content(kSegment).resize(20 * model.batches[0].bytes.size() + 30);
  Log& log = restart();
  Buffer got;
  EXPECT_EQ(read(log, got), ReadPlan::Kind::corrupt);
  EXPECT_EQ(got.size(), 20 * model.batches[0].bytes.size());
  EXPECT_TRUE(std::equal(got.begin(), got.end(), whole.begin()));
  EXPECT_EQ(take_faults().size(), 1u);
  EXPECT_EQ(world.storage->report(DirId{0}).state, DirState::online);
}

TEST_F(ColdTest, ASegmentThatIsGoneIsRefusedAndAllElseGoesOn) {
  world.disk.lose(std::string(kSegment));
  Log& log = restart();
  Buffer got;
  EXPECT_EQ(read(log, got), ReadPlan::Kind::corrupt);
  EXPECT_TRUE(got.empty());
  EXPECT_EQ(take_faults().size(), 1u);
  Log& other = world.create("b");
  EXPECT_TRUE(world.append(other, {}).has_value());
  world.pump();
  EXPECT_EQ(other.durable_end(), Offset{1});
}

class LostIndexTest : public ColdTest,
                      public ::testing::WithParamInterface<std::tuple<std::string_view, bool>> {};

TEST_P(LostIndexTest, AMissingOrShortIndexIsDoneWithout) {
  const auto [path, short_one] = GetParam();
  if (short_one) {
    content(path).resize(5);
  } else {
    world.disk.lose(std::string(path));
  }
  Log& log = restart();
  for (std::size_t each = 0; each < model.batches.size(); each += 3) {
    std::vector<Bytes> pieces;
    const ReadPlan got = plan(log, model.batches[each].base, pieces);
    ASSERT_EQ(got.kind, ReadPlan::Kind::hot);
    EXPECT_TRUE(std::equal(pieces[0].begin(), pieces[0].begin() + 10, model.batches[each].bytes.begin()));
    world.storage->unpin(got.pin);
    const TimestampAnswer answer = find_timestamp(log, 1'000 + 10 * static_cast<std::int64_t>(each));
    ASSERT_EQ(answer.kind, TimestampAnswer::Kind::found);
    EXPECT_EQ(answer.offset, model.batches[each].base);
  }
  EXPECT_EQ(take_faults(),
            std::vector<std::string>{std::string(path) +
                                     " is damaged: reads go without it and are slower. 'tailwater log "
                                     "rebuild' makes it anew while no broker runs"});
  // What is appended from here on is found through what it adds to the index.
  world.match_logs();
  for (int each = 0; each < 5; ++each) EXPECT_TRUE(world.append(log, {.value_size = 3'000}).has_value());
  world.pump();
  restart();
  world.match_logs();
  world.verify();
}

INSTANTIATE_TEST_SUITE_P(Indexes, LostIndexTest,
                         ::testing::Combine(::testing::Values(kIndex, kTimeIndex), ::testing::Bool()));

TEST_F(ColdTest, ADamagedTimeIndexGivesNoWrongAnswer) {
  const Buffer index = content(kTimeIndex);
  ASSERT_GE(index.size(), 8 * kTimeEntrySize);
  bool said = false;
  for (std::size_t at = 0; at < index.size(); ++at) {
    for (unsigned bit = 0; bit < 8; bit += 7) {
      flip(kTimeIndex, at, bit);
      Log& log = restart();
      for (std::size_t each = 0; each < model.batches.size(); each += 3) {
        const TimestampAnswer answer = find_timestamp(log, 1'000 + 10 * static_cast<std::int64_t>(each));
        // A batch's records are a millisecond apart, and batches ten.
        ASSERT_EQ(answer.kind, TimestampAnswer::Kind::found) << "byte " << at;
        EXPECT_EQ(answer.offset, model.batches[each].base) << "byte " << at;
      }
      for (const std::string& fault : take_faults()) {
        said = said || fault.starts_with(std::string(kTimeIndex) + " is damaged");
      }
      flip(kTimeIndex, at, bit);
    }
  }
  EXPECT_TRUE(said);
}

}  // namespace
}  // namespace tailwater::log
