#include "records/validate.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "records/compression.hpp"
#include "records/record.hpp"

namespace tailwater::records {

namespace {

using Verdict = std::expected<BatchInfo, Rejection>;

std::unexpected<Rejection> reject(RejectReason reason, std::string message) {
  return std::unexpected<Rejection>(Rejection{reason, std::move(message), {}});
}

std::unexpected<Rejection> reject_record(std::int32_t index, const char* message) {
  Rejection rejection{RejectReason::invalid_record, message, {}};
  rejection.records.push_back({index, RejectReason::invalid_record, message});
  return std::unexpected<Rejection>(std::move(rejection));
}

// The timestamps that are accepted; "no timestamp" always is.
struct Window {
  std::int64_t earliest = INT64_MIN;
  std::int64_t latest = INT64_MAX;

  bool holds(std::int64_t timestamp) const {
    return (timestamp >= earliest && timestamp <= latest) || timestamp == kNoTimestamp;
  }
};

Window window_of(const ProduceRules& rules, WallTime now) {
  // With LogAppendTime the broker's clock replaces what the client says.
  if (rules.timestamp_type == TimestampType::log_append_time) return {};
  Window window;
  const std::int64_t before = std::max<std::int64_t>(rules.timestamp_before_ms_max, 0);
  const std::int64_t after = std::max<std::int64_t>(rules.timestamp_after_ms_max, 0);
  if (before != INT64_MAX && now.ms >= INT64_MIN + before) window.earliest = now.ms - before;
  if (now.ms <= INT64_MAX - after) window.latest = now.ms + after;
  return window;
}

// Gathers the records to blame, up to the limit, and remembers the worst reason.
class Blame {
 public:
  void add(std::int32_t index, RejectReason reason, const char* message) {
    any_ = true;
    if (reason == RejectReason::invalid_timestamp) invalid_timestamp_ = true;
    if (records_.size() < kRejectedRecordsMax) records_.push_back({index, reason, message});
  }
  bool any() const { return any_; }
  std::unexpected<Rejection> to_rejection() {
    // Kafka names the timestamps if one of them is wrong, whatever else is.
    if (invalid_timestamp_) {
      return std::unexpected<Rejection>(
          Rejection{RejectReason::invalid_timestamp,
                    "one or more records have a timestamp outside the topic's window", std::move(records_)});
    }
    return std::unexpected<Rejection>(Rejection{RejectReason::invalid_record,
                                                "one or more records are not acceptable to this topic",
                                                std::move(records_)});
  }

 private:
  bool any_ = false;
  bool invalid_timestamp_ = false;
  std::vector<RejectedRecord> records_;
};

// The first two checks: the bytes are one batch of format 2. They need no more than the first header.
std::expected<BatchView, Rejection> take_one_batch(Bytes records) {
  if (records.empty()) return reject(RejectReason::not_one_batch, "there is no record batch");
  BatchCursor cursor(records);
  const std::optional<BatchView> batch = cursor.next();
  if (!batch) {
    switch (*cursor.fault()) {
      case Errc::truncated:
        return reject(RejectReason::not_one_batch, "the record batch is cut short");
      case Errc::unsupported:
        return reject(RejectReason::unsupported_format, "only record batches of format 2 are accepted");
      default:
        return reject(RejectReason::corrupt, "the record batch's length is impossible");
    }
  }
  if (batch->size() != records.size()) {
    return reject(RejectReason::not_one_batch, "there is more than one record batch for the partition");
  }
  return *batch;
}

// The checks of what the header says, CRC included.
std::optional<Rejection> check_header(const BatchView& batch, const ProduceRules& rules) {
  const auto no = [](RejectReason reason, const char* message) { return Rejection{reason, message, {}}; };
  const Codec codec = batch.codec();
  if (codec == Codec::zstd && !rules.zstd_allowed) {
    return no(RejectReason::unsupported_codec, "zstd needs version 7 of Produce");
  }
  if (batch.base_offset() != Offset{0}) {
    return no(RejectReason::invalid_record, "the base offset of a produced record batch must be 0");
  }
  if (batch.size() > rules.batch_bytes_max) {
    return no(RejectReason::too_large, "the record batch is larger than max.message.bytes");
  }
  if (batch.size() > rules.segment_bytes) {
    return no(RejectReason::beyond_segment, "the record batch is larger than segment.bytes");
  }
  if (!batch.crc_matches()) return no(RejectReason::corrupt, "the record batch's CRC does not match");
  // Only behind the CRC: a flipped bit must read as damage, not as a foreign codec.
  if (!is_known(codec)) return no(RejectReason::unsupported_codec, "the compression codec is unknown");

  const std::int64_t count = batch.records_count();
  if (count <= 0) return no(RejectReason::invalid_record, "the record batch has no records");
  if (count != std::int64_t{batch.last_offset_delta()} + 1) {
    return no(RejectReason::invalid_record, "the number of records contradicts the last offset");
  }
  if (batch.is_control()) return no(RejectReason::invalid_record, "clients must not write control records");
  if (batch.has_producer() && batch.base_sequence() < 0) {
    return no(RejectReason::invalid_record, "a batch with a producer id needs a sequence number");
  }
  // Kafka lets this pass; but it would have compaction drop the client's tombstones at a time of its choice.
  if (batch.delete_horizon())
    return no(RejectReason::invalid_record, "clients must not set a delete horizon");
  if (batch.records().empty())
    return no(RejectReason::invalid_record, "the record batch has no bytes of records");
  // On topics with CreateTime, Kafka clears the bit; but then the timestamps are not what the client said.
  if (batch.timestamp_type() == TimestampType::log_append_time)
    return no(RejectReason::invalid_timestamp, "clients must not set the timestamp type LogAppendTime");
  return std::nullopt;
}

// Records of an opened batch. `positional`: offset deltas must be 0..n-1; else a deviation is only noted.
struct Walk {
  bool positional = true;
  bool keys_required = false;
  Window window;
  std::size_t record_bytes_max = SIZE_MAX;
};

// Without its length, as Kafka counts.
std::size_t body_size(const RecordView& record) {
  std::uint64_t length = 0;
  return record.bytes.size() - read_uvarint(record.bytes, length, kVarintMaxBytes);
}

std::optional<Rejection> walk_records(const BatchView& batch, Bytes records, const Walk& walk,
                                      BatchInfo& info) {
  RecordCursor cursor(records, batch.records_count());
  Blame blame;
  std::int64_t max_timestamp = INT64_MIN;
  const auto base = static_cast<std::uint64_t>(batch.base_timestamp());
  while (const std::optional<RecordView> record = cursor.next()) {
    const std::int32_t index = cursor.index() - 1;
    if (record->bytes.size() > walk.record_bytes_max && body_size(*record) > walk.record_bytes_max)
      return reject_record(index, "the record is larger than max.decompressed.message.bytes").error();
    if (!record->has_sound_headers())
      return reject_record(index, "the record's headers are malformed").error();
    if (record->offset_delta != index) {
      if (walk.positional)
        return reject_record(index, "the record's offset contradicts its position").error();
      info.wrong_offset_deltas = true;
    }
    const auto timestamp =
        static_cast<std::int64_t>(base + static_cast<std::uint64_t>(record->timestamp_delta));
    max_timestamp = std::max(max_timestamp, timestamp);
    if (walk.keys_required && !record->key) {
      blame.add(index, RejectReason::invalid_record, "a compacted topic accepts no record without a key");
    }
    if (!walk.window.holds(timestamp)) {
      blame.add(index, RejectReason::invalid_timestamp,
                "the record's timestamp is outside the topic's window");
    }
  }
  if (cursor.fault()) {
    if (cursor.index() == batch.records_count()) {
      return reject(RejectReason::invalid_record, "there are bytes behind the last record").error();
    }
    return reject_record(cursor.index(), "the record is malformed").error();
  }
  if (blame.any()) return blame.to_rejection().error();
  info.records_walked = true;
  info.wrong_max_timestamp = max_timestamp != batch.max_timestamp();
  info.max_timestamp = max_timestamp;
  return std::nullopt;
}

std::optional<Rejection> open_and_walk(const BatchView& batch, const Walk& walk, const ProduceRules& rules,
                                       Codecs& codecs, BatchInfo& info) {
  const Bytes compressed = batch.records();
  const Result<Bytes> opened =
      codecs.open(batch.codec(), compressed, decompressed_cap(compressed.size(), rules.record_bytes_max));
  if (!opened) {
    return reject(RejectReason::invalid_record,
                  "the records cannot be decompressed: " + opened.error().message)
        .error();
  }
  return walk_records(batch, *opened, walk, info);
}

}  // namespace

std::expected<BatchInfo, Rejection> validate_for_produce(Bytes records, const ProduceRules& rules,
                                                         WallTime now, Codecs* codecs) {
  auto taken = take_one_batch(records);
  if (!taken) return std::unexpected<Rejection>(std::move(taken.error()));
  const BatchView batch = *taken;
  if (auto rejection = check_header(batch, rules)) return std::unexpected<Rejection>(*std::move(rejection));

  BatchInfo info{.size = batch.size(),
                 .records_count = batch.records_count(),
                 .last_offset_delta = batch.last_offset_delta(),
                 .first_timestamp = batch.base_timestamp(),
                 .max_timestamp = batch.max_timestamp(),
                 .producer_id = batch.producer_id(),
                 .producer_epoch = batch.producer_epoch(),
                 .base_sequence = batch.base_sequence(),
                 .codec = batch.codec(),
                 .transactional = batch.is_transactional()};
  Walk walk{.positional = info.codec == Codec::none,
            .keys_required = rules.compacted,
            .window = window_of(rules, now)};
  if (info.codec != Codec::none)
    walk.record_bytes_max = static_cast<std::size_t>(std::max<std::int64_t>(rules.record_bytes_max, 0));

  std::optional<Rejection> rejection;
  if (info.codec == Codec::none) {
    rejection = walk_records(batch, batch.records(), walk, info);
  } else if (!rules.compacted && !rules.decompress) {
    // Closed: the two timestamps of the header stand for all.
    if (!walk.window.holds(info.first_timestamp) || !walk.window.holds(info.max_timestamp)) {
      return reject(RejectReason::invalid_timestamp,
                    "the record batch's timestamps are outside the topic's window");
    }
  } else if (codecs != nullptr) {
    rejection = open_and_walk(batch, walk, rules, *codecs, info);
  } else {
    Codecs passing;
    rejection = open_and_walk(batch, walk, rules, passing, info);
  }
  if (rejection) return std::unexpected<Rejection>(*std::move(rejection));
  return info;
}

}  // namespace tailwater::records
