// Goal: a walk through a segment sees every whole batch, says where bytes are none and how far that goes, and
// does so wherever the borders of what is read at once happen to lie. Method: batches of many sizes in a file
// that lives in memory; bytes turned, cut off and replaced by zeros.
#include "apps/log/files.hpp"

#include <gtest/gtest.h>

#include <tuple>

#include "records/builder.hpp"

namespace tailwater::apps::logtools {
namespace {

class MemoryFile : public Files {
 public:
  std::optional<std::uint64_t> size(const std::string&) override { return content.size(); }
  Result<std::size_t> read(const std::string&, std::uint64_t at, MutableBytes out) override {
    if (at >= content.size()) return std::size_t{0};
    const std::size_t count = std::min<std::size_t>(out.size(), content.size() - at);
    std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
    return count;
  }

  // A batch of one record of this size.
  void append(std::size_t value_size) {
    records::BatchBuilder builder({});
    const std::string value(value_size, 'v');
    EXPECT_TRUE(builder.add(1'000, std::nullopt, as_bytes(value)));
    Buffer batch;
    EXPECT_TRUE(builder.finish(batch).has_value());
    records::set_base_offset(batch, Offset{static_cast<std::int64_t>(starts.size())});
    starts.push_back(content.size());
    content.insert(content.end(), batch.begin(), batch.end());
  }

  Buffer content;
  std::vector<std::uint64_t> starts;
};

struct Walked {
  std::vector<std::uint64_t> batches;
  std::vector<std::tuple<std::uint64_t, std::uint64_t, std::string>> damages;
};

Walked walk(MemoryFile& file, std::uint64_t limit) {
  Walked walked;
  Offset floor{0};
  Walk visitor;
  visitor.floor = [&] { return floor; };
  visitor.batch = [&](std::uint64_t position, const records::BatchView& batch) -> std::string {
    if (!batch.crc_matches() || batch.base_offset() < floor) return "wrong";
    floor = batch.last_offset() + 1;
    walked.batches.push_back(position);
    return {};
  };
  visitor.damage = [&](std::uint64_t from, std::uint64_t to, const std::string& what) {
    walked.damages.emplace_back(from, to, what);
  };
  EXPECT_TRUE(walk_segment(file, "segment", limit, visitor).has_value());
  return walked;
}

// Sizes around the window of 1 MiB, and many small ones.
MemoryFile some_file() {
  MemoryFile file;
  for (int each = 0; each < 200; ++each) file.append(static_cast<std::size_t>(each * 37 % 9'000));
  file.append((1 << 20) - 100);
  file.append(3 << 20);
  for (int each = 0; each < 200; ++each) file.append(static_cast<std::size_t>(each * 41 % 9'000));
  return file;
}

TEST(WalkTest, EveryBatchOfAWholeFile) {
  MemoryFile file = some_file();
  const Walked walked = walk(file, file.content.size());
  EXPECT_EQ(walked.batches, file.starts);
  EXPECT_TRUE(walked.damages.empty());
}

TEST(WalkTest, NoFurtherThanTheLimit) {
  MemoryFile file = some_file();
  const Walked walked = walk(file, file.starts[5]);
  EXPECT_EQ(walked.batches.size(), 5u);
  EXPECT_TRUE(walked.damages.empty());
}

TEST(WalkTest, ADamagedBatchIsSteppedOverAndItsEndFound) {
  const MemoryFile whole = some_file();
  for (const std::size_t hurt : {0u, 7u, 199u, 200u, 201u, 202u, 400u}) {
    // The magic byte, the length (towards much and little), the checksum.
    for (const auto& [at, mask] : {std::pair{16u, 0x01}, {8u, 0x40}, {10u, 0x10}, {11u, 0xff}, {18u, 0x01}}) {
      MemoryFile file = whole;
      file.content[whole.starts[hurt] + at] ^= static_cast<std::byte>(mask);
      const Walked walked = walk(file, file.content.size());
      ASSERT_EQ(walked.damages.size(), 1u) << hurt << " " << at;
      EXPECT_EQ(std::get<0>(walked.damages[0]), whole.starts[hurt]);
      EXPECT_EQ(std::get<1>(walked.damages[0]), whole.starts[hurt + 1]);
      EXPECT_EQ(walked.batches.size(), whole.starts.size() - 1) << hurt << " " << at;
    }
  }
}

TEST(WalkTest, ZerosBehindTheLastBatchAreOneDamage) {
  MemoryFile file = some_file();
  const std::uint64_t end = file.content.size();
  file.content.resize(end + (5 << 20));
  const Walked walked = walk(file, file.content.size());
  EXPECT_EQ(walked.batches, file.starts);
  ASSERT_EQ(walked.damages.size(), 1u);
  EXPECT_EQ(std::get<0>(walked.damages[0]), end);
  EXPECT_EQ(std::get<1>(walked.damages[0]), file.content.size());
}

TEST(WalkTest, AFileThatEndsTooEarlySaysWhere) {
  MemoryFile file = some_file();
  const std::uint64_t limit = file.content.size();
  file.content.resize(file.starts[300] + 20);
  Walked walked = walk(file, limit);
  EXPECT_EQ(walked.batches.size(), 300u);
  ASSERT_EQ(walked.damages.size(), 1u);
  EXPECT_EQ(std::get<0>(walked.damages[0]), file.starts[300]);
  file.content.resize(file.starts[300]);
  walked = walk(file, limit);
  ASSERT_EQ(walked.damages.size(), 1u);
  EXPECT_EQ(std::get<0>(walked.damages[0]), file.starts[300]);
  EXPECT_EQ(std::get<1>(walked.damages[0]), limit);
}

}  // namespace
}  // namespace tailwater::apps::logtools
