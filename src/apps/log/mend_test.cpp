// Goal: taking damage out of a segment leaves every whole batch, loses only what was damaged, names the
// offsets that were in it, and keeps the bytes. Method: a segment in a folder, damaged at its begin, middle
// and end.
#include "apps/log/mend.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "records/builder.hpp"
#include "support/temporary_folder.hpp"

namespace tailwater::apps::logtools {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatches = 10;

class MendTest : public ::testing::Test {
 protected:
  MendTest() {
    fs::create_directories(folder + "/a-0");
    for (std::size_t each = 0; each < kBatches; ++each) {
      records::BatchBuilder builder({});
      for (int record = 0; record < 2; ++record)
        EXPECT_TRUE(builder.add(1'000, std::nullopt, as_bytes("value")));
      Buffer batch;
      EXPECT_TRUE(builder.finish(batch).has_value());
      records::set_base_offset(batch, Offset{static_cast<std::int64_t>(2 * each)});
      size = batch.size();
      whole.insert(whole.end(), batch.begin(), batch.end());
    }
    log.topic = "a";
    segment.size = segment.flushed = whole.size();
    segment.next = Offset{2 * kBatches};
    segment.gapless = true;
  }

  void store(const Buffer& content) {
    std::ofstream out(folder + "/a-0/00000000000000000000.log", std::ios::binary);
    out.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
  }
  Buffer without(const std::vector<std::size_t>& batches) const {
    Buffer left;
    for (std::size_t each = 0; each < kBatches; ++each) {
      if (std::ranges::find(batches, each) != batches.end()) continue;
      const auto from = whole.begin() + static_cast<std::ptrdiff_t>(each * size);
      left.insert(left.end(), from, from + static_cast<std::ptrdiff_t>(size));
    }
    return left;
  }

  TemporaryFolder temporary;
  const std::string& folder = temporary.path();
  Buffer whole;
  std::size_t size = 0;
  log::ManifestLog log;
  log::Segment segment;
};

TEST_F(MendTest, AWholeSegmentHasNoDamage) {
  store(whole);
  RealFiles files(folder);
  EXPECT_TRUE(find_damage(files, log, segment)->empty());
}

TEST_F(MendTest, WhatIsDamagedGoesAndAllElseStays) {
  for (const std::vector<std::size_t>& hurt :
       {std::vector<std::size_t>{0}, {4}, {9}, {3, 4}, {0, 2, 9}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}) {
    Buffer content = whole;
    for (const std::size_t each : hurt) content[each * size + 70] ^= std::byte{4};
    store(content);
    RealFiles files(folder);
    const auto pieces = find_damage(files, log, segment);
    ASSERT_TRUE(pieces.has_value());
    ASSERT_FALSE(pieces->empty());
    EXPECT_EQ(pieces->front().from, hurt.front() * size);
    EXPECT_EQ(pieces->front().first, Offset{static_cast<std::int64_t>(2 * hurt.front())});
    EXPECT_EQ(pieces->back().to, (hurt.back() + 1) * size);
    EXPECT_EQ(pieces->back().last, Offset{static_cast<std::int64_t>(2 * hurt.back() + 1)});
    log::Segment mended = segment;
    ASSERT_TRUE(take_out(files, log, mended, *pieces).has_value());
    const Buffer left = without(hurt);
    EXPECT_EQ(*files.load("a-0/00000000000000000000.log"), left);
    EXPECT_EQ(mended.size, left.size());
    EXPECT_EQ(mended.flushed, left.size());
    EXPECT_EQ(mended.next, segment.next) << "offsets are not given again";
    const Piece& first = pieces->front();
    const auto kept = files.load("a-0/00000000000000000000.log." + std::to_string(first.from) + ".damaged");
    ASSERT_TRUE(kept.has_value());
    EXPECT_TRUE(std::ranges::equal(*kept, Bytes(content).subspan(first.from, first.to - first.from)));
    EXPECT_TRUE(find_damage(files, log, mended)->empty());
  }
}

TEST_F(MendTest, AFileThatIsTooShortLosesItsEnd) {
  Buffer content = whole;
  content.resize(7 * size + 10);
  store(content);
  RealFiles files(folder);
  const auto pieces = find_damage(files, log, segment);
  ASSERT_EQ(pieces->size(), 1u);
  log::Segment mended = segment;
  ASSERT_TRUE(take_out(files, log, mended, *pieces).has_value());
  EXPECT_EQ(mended.size, 7 * size);
  EXPECT_EQ(files.load("a-0/00000000000000000000.log")->size(), 7 * size);
}

}  // namespace
}  // namespace tailwater::apps::logtools
