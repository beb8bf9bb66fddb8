// Re-encodes a produced batch for a topic that wants another codec than the client's, or whose compressed
// records carry wrong offset deltas. Producer fields, transaction bit and time type stay as they are; the
// result has sound records with offset deltas 0..n-1, the records' true max_timestamp (the broker's time
// where LogAppendTime is set) and a CRC of its own. REQUIRES: the batch's CRC was checked before, or damage
// would be sealed in.
#pragma once

#include <cstddef>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "records/batch.hpp"
#include "records/compression.hpp"

namespace tailwater::records {

struct RecompressOptions {
  Codec codec = Codec::none;
  std::optional<int> level;
  // Bytes that the records may take uncompressed; decompressed_cap() of their compressed size if absent.
  std::optional<std::size_t> cap;
};

// Appends the new batch to `out`. A batch that has the codec already and sound deltas is copied. Errors are
// those of Codecs::decompress(), and malformed for records that are none; then nothing is appended.
Result<void> recompress(const BatchView& batch, const RecompressOptions& options, Codecs& codecs,
                        Buffer& out);

}  // namespace tailwater::records
