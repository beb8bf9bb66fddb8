#include "records/checksum.hpp"

#include <algorithm>

#include "base/crc32c.hpp"
#include "records/batch.hpp"

namespace tailwater::records {

namespace {

// Reading less than this takes no longer than the arithmetic.
constexpr std::size_t kLarge = 32'768;

// REQUIRES: what the checksum stands for begins before `to`.
std::uint32_t from_own_checksum(BatchView batch, std::size_t from, std::size_t to) {
  const Bytes bytes = batch.bytes();
  const std::size_t behind = bytes.size() - to;
  const std::uint32_t until = crc32c_first(batch.crc(), crc32c(bytes.last(behind)), behind);
  if (from < at::kAttributes) {
    const std::uint32_t before = crc32c(bytes.subspan(from, at::kAttributes - from));
    return crc32c_joined(before, until, to - at::kAttributes);
  }
  const std::uint32_t skipped = crc32c(bytes.subspan(at::kAttributes, from - at::kAttributes));
  return crc32c_second(until, skipped, to - from);
}

}  // namespace

std::uint32_t checksum_of_part(Bytes batches, std::size_t from, std::size_t to) {
  std::uint32_t sum = 0;
  for (BatchCursor cursor(batches); cursor.position() < to;) {
    const std::size_t begin = cursor.position();
    const BatchView batch = *cursor.next();
    const std::size_t first = std::max(from, begin) - begin;
    const std::size_t last = std::min(to - begin, batch.size());
    if (first >= last) continue;
    if (last - first < kLarge) {
      sum = crc32c(batch.bytes().subspan(first, last - first), sum);
    } else {
      sum = crc32c_joined(sum, from_own_checksum(batch, first, last), last - first);
    }
  }
  return sum;
}

}  // namespace tailwater::records
