// How a coordinator reads its partition back: the records of a batch as changes, one after the other.
// GUARANTEES: a record that makes no sense costs itself only; a batch that makes none changes nothing.
#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "records/batch.hpp"
#include "records/compression.hpp"
#include "records/record.hpp"

namespace tailwater::records {

// One batch and nothing else, which its checksum vouches for.
inline Result<BatchView> whole_batch(Bytes bytes) {
  const auto batch = parse_batch(bytes);
  if (!batch) return std::unexpected(batch.error());
  if (!batch->crc_matches()) return fail(Errc::corrupt, "the batch's checksum does not match");
  return *batch;
}

// `Replayed` counts what became of the records: applied, foreign and damaged. `decode` makes a
// Result<std::optional<Change>> of a key and a value: nothing of a record of others. Without `codecs` they
// are made for this batch.
template <class Replayed, class Decode, class Apply>
Result<Replayed> replay(const BatchView& batch, Codecs* codecs, const Decode& decode, const Apply& apply) {
  Bytes content = batch.records();
  std::optional<Codecs> own_codecs;
  if (batch.codec() != Codec::none) {
    if (codecs == nullptr) codecs = &own_codecs.emplace();
    const auto opened = codecs->open(batch.codec(), content, decompressed_cap(content.size()));
    if (!opened) return std::unexpected(opened.error());
    content = *opened;
  }
  Replayed result;
  RecordCursor cursor(content, batch.records_count());
  while (const auto record = cursor.next()) {
    if (!record->key) {
      ++result.damaged;
      continue;
    }
    auto change = decode(*record->key, record->value);
    if (!change) {
      ++result.damaged;
    } else if (!change->has_value()) {
      ++result.foreign;
    } else {
      ++result.applied;
      apply(**change);
    }
  }
  if (cursor.fault()) ++result.damaged;
  return result;
}

}  // namespace tailwater::records
