// Goal: a checksum that is put together from the batches' own is that of the bytes. Method: parts that begin and end
// anywhere, beside the checksum of what they hold.
#include "records/checksum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/crc32c.hpp"
#include "records/testing.hpp"

namespace tailwater::records {
namespace {

TEST(ChecksumTest, APartsIsThatOfItsBytes) {
  Buffer batches;
  std::vector<std::size_t> places{0};
  for (const std::int32_t count : {1, 4'000, 2, 1'500, 900, 3}) {
    Buffer batch = testing::batch_of(count);
    set_base_offset(batch, Offset{static_cast<std::int64_t>(batches.size())});
    batches.insert(batches.end(), batch.begin(), batch.end());
    for (const std::size_t before : {std::size_t{0}, std::size_t{1}, std::size_t{40}, std::size_t{4'095}})
      places.push_back(batches.size() - std::min(before, batches.size()));
    for (const std::size_t behind :
         {std::size_t{1}, std::size_t{20}, std::size_t{21}, std::size_t{22}, std::size_t{4'000}})
      places.push_back(batches.size() - batch.size() + std::min(behind, batch.size()));
  }
  for (const std::size_t from : places) {
    for (const std::size_t to : places) {
      if (from > to) continue;
      ASSERT_EQ(checksum_of_part(batches, from, to), crc32c(Bytes(batches).subspan(from, to - from)))
          << from << " to " << to;
    }
  }
}

// Or it would read the bytes: then nothing is won.
TEST(ChecksumTest, OfALargeBatchTheMiddleIsNotRead) {
  Buffer batch = testing::batch_of(4'000);
  const std::uint32_t whole = crc32c(batch);
  ASSERT_GT(batch.size(), 65'536u);
  batch[batch.size() / 2] ^= std::byte{1};
  EXPECT_NE(crc32c(batch), whole);
  EXPECT_EQ(checksum_of_part(batch, 0, batch.size()), whole);
}

}  // namespace
}  // namespace tailwater::records
