#include "records/recompress.hpp"

#include <algorithm>
#include <cstring>

#include "records/builder.hpp"
#include "records/record.hpp"

namespace tailwater::records {

namespace {

// The time that a record carries itself, also where the batch's time stands for it.
std::int64_t own_timestamp(const BatchView& batch, const RecordView& record) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(batch.base_timestamp()) +
                                   static_cast<std::uint64_t>(record.timestamp_delta));
}

struct Survey {
  bool positional = true;
  std::int64_t max_timestamp = kNoTimestamp;
};

Result<Survey> survey(const BatchView& batch, Bytes records) {
  Survey found;
  RecordCursor cursor(records, batch.records_count());
  while (const std::optional<RecordView> record = cursor.next()) {
    const std::int64_t timestamp = own_timestamp(batch, *record);
    found.max_timestamp = cursor.index() == 1 ? timestamp : std::max(found.max_timestamp, timestamp);
    if (record->offset_delta != cursor.index() - 1) found.positional = false;
  }
  if (cursor.fault()) return fail(*cursor.fault(), "the batch's records are malformed");
  if (batch.timestamp_type() == TimestampType::log_append_time) found.max_timestamp = batch.max_timestamp();
  return found;
}

// Lengths change with the deltas, so every record is encoded anew.
Result<void> rebuild(const BatchView& batch, Bytes records, const RecompressOptions& options,
                     std::int64_t max_timestamp, Codecs& codecs, Buffer& out) {
  BatchBuilder builder({.base_offset = batch.base_offset(),
                        .leader_epoch = batch.leader_epoch(),
                        .codec = options.codec,
                        .level = options.level,
                        .timestamp_type = batch.timestamp_type(),
                        .producer_id = batch.producer_id(),
                        .producer_epoch = batch.producer_epoch(),
                        .base_sequence = batch.base_sequence(),
                        .transactional = batch.is_transactional(),
                        .control = batch.is_control(),
                        .delete_horizon = batch.delete_horizon(),
                        .max_timestamp = max_timestamp});
  RecordCursor cursor(records, batch.records_count());
  while (std::optional<RecordView> record = cursor.next()) {
    record->offset_delta = cursor.index() - 1;
    if (!builder.copy(*record, own_timestamp(batch, *record))) {
      return fail(Errc::too_large, "the batch's records are larger than a batch can be");
    }
  }
  return builder.finish(out, &codecs);
}

}  // namespace

Result<void> recompress(const BatchView& batch, const RecompressOptions& options, Codecs& codecs,
                        Buffer& out) {
  if (!is_known(options.codec)) return fail(Errc::unsupported, "the compression codec is unknown");
  const Bytes block = batch.records();
  if (batch.records_count() == 0 && block.empty()) {
    out.insert(out.end(), batch.bytes().begin(), batch.bytes().end());
    return {};
  }
  const auto opened = codecs.open(batch.codec(), block, options.cap.value_or(decompressed_cap(block.size())));
  if (!opened) return std::unexpected(opened.error());
  const auto found = survey(batch, *opened);
  if (!found) return std::unexpected(found.error());
  if (batch.records_count() <= 0) return fail(Errc::malformed, "the batch's records are malformed");
  if (!found->positional) return rebuild(batch, *opened, options, found->max_timestamp, codecs, out);

  Buffer compressed;
  Bytes encoded = block;
  if (batch.codec() != options.codec) {
    encoded = *opened;
    if (options.codec != Codec::none) {
      if (auto done = codecs.compress(options.codec, options.level, *opened, compressed); !done) return done;
      encoded = compressed;
    }
  }
  if (encoded.size() > kBatchBytesMax)
    return fail(Errc::too_large, "the records are larger than a batch can be");
  const std::size_t begin = out.size();
  out.resize(begin + kBatchHeaderSize + encoded.size());
  const MutableBytes made = MutableBytes(out).subspan(begin);
  std::memcpy(made.data(), batch.bytes().data(), kBatchHeaderSize);
  std::memcpy(made.data() + kBatchHeaderSize, encoded.data(), encoded.size());
  store_big(made.data() + at::kBatchLength, static_cast<std::int32_t>(made.size() - kLogOverhead));
  const auto attributes = static_cast<unsigned>(batch.attributes()) & ~static_cast<unsigned>(kCodecMask);
  store_big(made.data() + at::kAttributes,
            static_cast<std::uint16_t>(attributes | static_cast<unsigned>(options.codec)));
  store_big(made.data() + at::kMaxTimestamp, found->max_timestamp);
  update_crc(made);
  return {};
}

}  // namespace tailwater::records
