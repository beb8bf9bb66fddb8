// The codecs of record batches: gzip (all members), snappy (raw block and xerial streams), lz4 frames, zstd
// frames. Decompression is total on hostile bytes and bounded: never more than `cap` bytes of output are
// allocated, sizes that the bytes announce are believed only up to what the compressed bytes make plausible.
// A Codecs object keeps the libraries' contexts and one scratch buffer, so that a shard opens batch after
// batch without allocating; it is no thread's in particular, but one at a time. There are no globals.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/varint.hpp"
#include "records/batch.hpp"

namespace tailwater::records {

// What one record of a compressed batch may take, where nobody says otherwise: Kafka's default.
inline constexpr std::int64_t kRecordBytesUnbounded = 2'147'483'639;

// How large a block of `compressed` bytes may become: a hundred times, 8 MiB are always fine, 64 MiB are the
// end. Where a bound for the records was chosen, one record of that size is fine too.
inline constexpr std::size_t kDecompressedMax = std::size_t{64} << 20;
inline constexpr std::size_t kDecompressedAlways = std::size_t{8} << 20;
inline constexpr std::size_t kDecompressedRatio = 100;
static_assert(kDecompressedAlways < kDecompressedMax);
constexpr std::size_t decompressed_cap(std::size_t compressed,
                                       std::int64_t record_bytes_max = kRecordBytesUnbounded) {
  const std::size_t plausible = compressed >= kDecompressedMax / kDecompressedRatio
                                    ? kDecompressedMax
                                    : std::max(kDecompressedAlways, compressed * kDecompressedRatio);
  if (record_bytes_max <= 0 || record_bytes_max >= kRecordBytesUnbounded) return plausible;
  return std::max(plausible, static_cast<std::size_t>(record_bytes_max) + kVarintMaxBytes);
}

class Codecs {
 public:
  Codecs();
  ~Codecs();
  Codecs(Codecs&&) noexcept;
  Codecs& operator=(Codecs&&) noexcept;

  // Replaces the content of `out` with what `in` holds. Codec::none copies.
  //   too_large    more than `cap` bytes would come out
  //   truncated    `in` ends too early; empty input is so for every codec but none
  //   malformed    `in` is not of this codec
  //   unsupported  the codec is none of ours
  // After an error the content of `out` is unspecified.
  Result<void> decompress(Codec codec, Bytes in, std::size_t cap, Buffer& out);
  // The same into the scratch buffer; valid until the next call. Codec::none gives `in` itself.
  Result<Bytes> open(Codec codec, Bytes in, std::size_t cap);

  // Replaces the content of `out`. Without `level`, the codec's usual one; levels out of range are clamped.
  // snappy has none. As in Kafka, lz4's level 9 is the fast compressor.
  Result<void> compress(Codec codec, std::optional<int> level, Bytes in, Buffer& out);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

// The same with contexts made for the one call: for tests and tools.
Result<void> decompress(Codec codec, Bytes in, std::size_t cap, Buffer& out);
Result<void> compress(Codec codec, std::optional<int> level, Bytes in, Buffer& out);

}  // namespace tailwater::records
