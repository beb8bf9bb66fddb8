// Goal: an extent says exactly which blocks are a run's own, and brings everything else. Method: all ways in
// which a run may lie in its blocks; entries that make no sense.
#include "core/log/extent.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "base/crc32c.hpp"
#include "records/batch.hpp"

namespace tailwater::log {
namespace {

using journal::kBlock;

Buffer some_bytes(std::size_t size) {
  Buffer bytes(size);
  for (std::size_t each = 0; each < size; ++each) bytes[each] = static_cast<std::byte>(each * 7 + each / 251);
  return bytes;
}

// A file of which [from, to) is a batch.
Buffer with_batch(std::uint64_t from, std::uint64_t to) {
  Buffer file = some_bytes(6 * kBlock);
  const MutableBytes batch = MutableBytes(file).subspan(from, to - from);
  store_big(batch.data() + records::at::kBatchLength,
            static_cast<std::int32_t>(batch.size() - records::kLogOverhead));
  store_big(batch.data() + records::at::kMagic, records::kMagic);
  records::update_crc(batch);
  return file;
}

journal::EntryHeader header_of(std::uint64_t from, std::uint32_t head, const Buffer& content) {
  return {.kind = journal::EntryKind::extent,
          .head_length = static_cast<std::uint16_t>(head),
          .length = static_cast<std::uint32_t>(content.size()),
          .segment_base = 5,
          .position = static_cast<std::uint32_t>(from - head)};
}

TEST(ExtentTest, BlocksAndWhatIsBesideThemAreTheWholeRun) {
  for (const std::uint64_t from : {kBlock, kBlock + 1, kBlock + 100, 2 * kBlock - 1}) {
    for (const std::uint64_t to : {3 * kBlock, 3 * kBlock + 1, 4 * kBlock - 1, 5 * kBlock}) {
      for (const bool with_head : {false, true}) {
        const Buffer file = with_batch(from, to);
        const auto head = static_cast<std::uint32_t>(with_head ? from % kBlock : 0);
        Buffer content;
        encode_extent(file.data() + from, from, to, head, content);
        const auto extent = decode_extent(header_of(from, head, content), content);
        ASSERT_TRUE(extent.has_value());
        EXPECT_EQ(extent->segment, Offset{5});
        EXPECT_EQ(extent->from, from);
        EXPECT_EQ(extent->to, to);
        EXPECT_EQ(extent->blocks_from % kBlock, 0u);
        EXPECT_EQ(extent->blocks_to % kBlock, 0u);
        EXPECT_EQ(extent->head.size(), head);
        Buffer all(extent->head.begin(), extent->head.end());
        all.insert(all.end(), extent->before.begin(), extent->before.end());
        const Bytes blocks =
            Bytes(file).subspan(extent->blocks_from, extent->blocks_to - extent->blocks_from);
        EXPECT_EQ(crc32c(blocks), extent->blocks_crc);
        all.insert(all.end(), blocks.begin(), blocks.end());
        all.insert(all.end(), extent->behind.begin(), extent->behind.end());
        EXPECT_TRUE(std::equal(all.begin(), all.end(),
                               file.begin() + static_cast<std::ptrdiff_t>(from - head),
                               file.begin() + static_cast<std::ptrdiff_t>(to)));
      }
    }
  }
}

TEST(ExtentTest, WhatMakesNoSenseIsNoExtent) {
  const Buffer file = with_batch(100, 3 * kBlock + 7);
  Buffer content;
  encode_extent(file.data() + 100, 100, 3 * kBlock + 7, 100, content);
  const journal::EntryHeader header = header_of(100, 100, content);
  ASSERT_TRUE(decode_extent(header, content).has_value());
  for (std::size_t size = 0; size < kExtentHeaderSize + kBlock; size += 511)
    EXPECT_FALSE(decode_extent(header, Bytes(content).first(size)).has_value()) << size;
  Buffer longer = content;
  longer.resize(content.size() + kBlock);
  EXPECT_FALSE(decode_extent(header, longer).has_value());
  for (const std::uint32_t blocks : {0u, 4095u}) {
    store_little(content.data(), blocks);
    EXPECT_FALSE(decode_extent(header, content).has_value());
  }
}

}  // namespace
}  // namespace tailwater::log
