// Goal: a walk gives exactly the batches of a segment whatever the blocks' borders, and stops at what is
// none; an output's operations make files that hold exactly what was added, with the index that a flush would
// make. Method: batches of many sizes fed in blocks; operations carried out on buffers.
#include "core/log/compaction_io.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>

#include "base/prng.hpp"
#include "core/log/tail.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

Buffer batch_at(std::int64_t offset, std::size_t size) {
  Buffer batch = make_batch({.value_size = size, .timestamp = 1'000 + offset});
  records::set_base_offset(batch, Offset{offset});
  return batch;
}

std::vector<Buffer> some_batches(std::uint64_t seed, std::size_t bytes) {
  Prng random(seed);
  std::vector<Buffer> batches;
  std::size_t all = 0;
  while (all < bytes) {
    const std::size_t size = random.one_in(20) ? 3 * kCompactionBlock / 2 : random.below(30'000);
    batches.push_back(batch_at(static_cast<std::int64_t>(batches.size()), size));
    all += batches.back().size();
  }
  return batches;
}

Buffer joined(const std::vector<Buffer>& batches) {
  Buffer all;
  for (const Buffer& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

TEST(SegmentWalk, gives_every_batch_once) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const std::vector<Buffer> batches = some_batches(seed, 5 * kCompactionBlock);
    const Buffer segment = joined(batches);
    SegmentWalk walk;
    walk.open(segment.size(), Offset{0}, Offset{static_cast<std::int64_t>(batches.size())});
    std::size_t given = 0;
    while (!walk.at_end()) {
      if (const auto batch = walk.next()) {
        ASSERT_TRUE(std::ranges::equal(batch->bytes(), batches.at(given)));
        ++given;
        continue;
      }
      const auto range = walk.wanted();
      ASSERT_TRUE(range.has_value());
      EXPECT_EQ(range->at % kDiskBlock, 0U);
      Buffer block(segment.begin() + static_cast<std::ptrdiff_t>(range->at),
                   segment.begin() + static_cast<std::ptrdiff_t>(range->at + range->size));
      block.resize(block.size() + 100);  // what else the disk block holds
      walk.feed(block);
    }
    EXPECT_EQ(given, batches.size());
    EXPECT_FALSE(walk.broken());
  }
}

TEST(SegmentWalk, stops_at_a_gap_where_none_can_be) {
  const Buffer segment = joined({batch_at(0, 100), batch_at(2, 100)});
  for (const bool gapless : {false, true}) {
    SegmentWalk walk;
    walk.open(segment.size(), Offset{0}, Offset{3}, gapless);
    walk.feed(segment);
    EXPECT_TRUE(walk.next().has_value());
    EXPECT_EQ(walk.next().has_value(), !gapless);
    EXPECT_EQ(walk.broken(), gapless);
  }
}

TEST(SegmentWalk, stops_at_bytes_that_are_no_batches) {
  Buffer segment = joined({batch_at(0, 100), batch_at(1, 100)});
  const std::size_t second = batch_at(0, 100).size();
  const auto breaks = [&](Buffer bytes, std::size_t batches) {
    SegmentWalk walk;
    walk.open(bytes.size(), Offset{0}, Offset{2});
    walk.feed(bytes);
    for (std::size_t count = 0; count < batches; ++count) EXPECT_TRUE(walk.next().has_value());
    EXPECT_FALSE(walk.next().has_value());
    EXPECT_TRUE(walk.broken());
    EXPECT_FALSE(walk.wanted().has_value());
  };
  Buffer short_of = segment;
  short_of.pop_back();
  breaks(short_of, 1);
  Buffer stub = segment;
  stub.resize(second + 10);
  breaks(stub, 1);
  Buffer other = segment;
  other[second + records::at::kMagic] = std::byte{1};
  breaks(other, 1);
  Buffer boasting = segment;
  store_big(boasting.data() + second + records::at::kBatchLength, std::int32_t{1'000'000'000});
  breaks(boasting, 1);
  Buffer negative = segment;
  store_big(negative.data() + records::at::kBatchLength, std::int32_t{-1});
  breaks(negative, 0);
  for (const std::int64_t wrong : {-1, 0, 2}) {
    Buffer displaced = segment;
    store_big(displaced.data() + second, wrong);
    breaks(displaced, 1);
  }
}

// Where space cannot be reserved a file grows by what is preallocated.
class SegmentOutputOn : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(CanReserve, SegmentOutputOn, ::testing::Bool());

TEST_P(SegmentOutputOn, makes_exact_files_with_their_index) {
  cache::BlockPool pool;
  const std::vector<Buffer> batches = some_batches(9, 4 * kCompactionBlock);
  SegmentOutput output(pool, Offset{0}, 4'096);
  std::map<FileKind, Buffer> files;
  std::map<FileKind, std::uint64_t> rooms;
  std::map<FileKind, std::uint64_t> written;
  std::set<FileKind> synced;
  const auto carry_out = [&] {
    while (auto wish = output.next()) {
      DiskOp& op = wish->op;
      Buffer& file = files[wish->file];
      synced.erase(wish->file);
      switch (op.kind) {
        case DiskOpKind::preallocate:
          EXPECT_EQ(op.at, rooms[wish->file]);
          rooms[wish->file] += op.size;
          if (!GetParam()) file.resize(rooms[wish->file]);
          break;
        case DiskOpKind::write:
          EXPECT_EQ(op.at, written[wish->file]);
          for (const Bytes piece : op.pieces) {
            const std::uint64_t at = std::exchange(written[wish->file], written[wish->file] + piece.size());
            file.resize(std::max<std::size_t>(file.size(), at + piece.size()));
            std::ranges::copy(piece, file.begin() + static_cast<std::ptrdiff_t>(at));
          }
          EXPECT_LE(file.size(), rooms[wish->file]);
          EXPECT_TRUE(wish->file != FileKind::records || file.size() % kDiskBlock == 0);
          break;
        case DiskOpKind::truncate:
          file.resize(op.size);
          break;
        case DiskOpKind::sync:
          synced.insert(wish->file);
          break;
        default:
          ADD_FAILURE() << "an operation of another kind";
      }
    }
  };
  for (const Buffer& batch : batches) {
    const records::BatchView view(batch);
    output.add(batch, view.last_offset(), view.max_timestamp());
    carry_out();
  }
  output.finish();
  carry_out();
  EXPECT_TRUE(files[FileKind::records] == joined(batches));
  EXPECT_EQ(synced.size(), 3U);
  const Segment segment = output.segment();
  EXPECT_EQ(segment.size, files[FileKind::records].size());
  EXPECT_EQ(segment.index.until, segment.size);
  EXPECT_EQ(segment.first_timestamp, 1'000);
  EXPECT_EQ(segment.index.max_timestamp, 1'000 + static_cast<std::int64_t>(batches.size()) - 1);
  EXPECT_EQ(files[FileKind::index].size(), segment.stored.entries * kIndexEntrySize);
  EXPECT_EQ(files[FileKind::time_index].size(), segment.stored.time_entries * kTimeEntrySize);
  EXPECT_EQ(segment.stored.last_time, segment.index.max_timestamp) << "the last entry is forced";
  // Every entry names the place of a batch that ends with the entry's offset.
  for (std::uint32_t entry = 0; entry < segment.stored.entries; ++entry) {
    const std::byte* at = files[FileKind::index].data() + entry * kIndexEntrySize;
    const auto position = load_big<std::int32_t>(at + 4);
    EXPECT_EQ(peek_batch(files[FileKind::records].data() + position).last,
              Offset{load_big<std::int32_t>(at)});
  }
}

TEST(SegmentOutput, of_nothing_makes_no_files) {
  cache::BlockPool pool;
  SegmentOutput output(pool, Offset{5}, 4'096);
  output.finish();
  EXPECT_FALSE(output.next().has_value());
  EXPECT_EQ(output.segment().size, 0U);
  EXPECT_FALSE(output.has(FileKind::records));
}

}  // namespace
}  // namespace tailwater::log
