// The records inside a batch that is not compressed (or was decompressed): borrowed, one after the other,
// without copies and without allocation. Total on hostile bytes: a cursor stops at the first impossible byte
// and says so. Headers are parsed only by whoever iterates them. Must not know batches: offsets and
// timestamps are deltas here.
//
//   record = length varint (bytes after it), attributes i8, timestamp_delta varlong, offset_delta varint,
//            key_length varint (-1 null) key, value_length varint (-1 null) value, header_count varint,
//            headers
//   header = key_length varint, key, value_length varint (-1 null), value
//   Varints are zigzag-coded; a number beyond 32 (varlong: 64) bits is malformed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/varint.hpp"
#include "records/batch.hpp"

namespace tailwater::records {

namespace detail {

// A number and where the bytes go on; `next` is null where the bytes hold no such number.
struct Decoded {
  std::uint64_t number = 0;
  const std::byte* next = nullptr;
};
// Any length, within 32 or 64 bits.
Decoded decode_uvarint(const std::byte* at, const std::byte* end);
Decoded decode_uvarlong(const std::byte* at, const std::byte* end);
bool sound_headers(Bytes bytes, std::int32_t count);

// Reads forward over borrowed bytes; each step answers false, and stays, where the bytes do not hold the
// value. Lives in registers: nothing here hands out its address.
class Reader {
 public:
  explicit Reader(Bytes bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  Bytes rest() const { return {at_, end_}; }
  const std::byte* position() const { return at_; }

  bool varint(std::int32_t& number) {
    Decoded found = decode_short();
    if (found.next == nullptr) [[unlikely]] {
      found = decode_uvarint(at_, end_);
      if (found.next == nullptr) return false;
    }
    at_ = found.next;
    number = static_cast<std::int32_t>(unzigzag(found.number));
    return true;
  }
  bool varlong(std::int64_t& number) {
    Decoded found = decode_short();
    if (found.next == nullptr) {
      found = decode_uvarlong(at_, end_);
      if (found.next == nullptr) return false;
    }
    at_ = found.next;
    number = unzigzag(found.number);
    return true;
  }
  bool byte(std::int8_t& number) {
    if (at_ == end_) return false;
    number = static_cast<std::int8_t>(*at_++);
    return true;
  }
  bool take(std::size_t size, Bytes& bytes) {
    if (size > left()) return false;
    bytes = {at_, size};
    at_ += size;
    return true;
  }
  // A length and that many bytes; -1 is null.
  bool nullable(std::optional<Bytes>& bytes) {
    std::int32_t length = 0;
    if (!varint(length) || length < -1) return false;
    if (length == -1) {
      bytes.reset();
      return true;
    }
    if (static_cast<std::size_t>(length) > left()) return false;
    bytes.emplace(at_, static_cast<std::size_t>(length));
    at_ += length;
    return true;
  }

 private:
  // One or two bytes, which is nearly every number in a record.
  Decoded decode_short() const {
    if (at_ == end_) return {};
    const auto first = static_cast<std::uint64_t>(at_[0]);
    if (first < 0x80) return {first, at_ + 1};
    if (left() < 2) return {};
    const auto second = static_cast<std::uint64_t>(at_[1]);
    if (second < 0x80) return {(first & 0x7f) | (second << 7), at_ + 2};
    return {};
  }

  const std::byte* at_;
  const std::byte* end_;
};

}  // namespace detail

// A record's header; keys may come twice, their order counts.
struct HeaderView {
  Bytes key;
  std::optional<Bytes> value;
};

class HeaderCursor {
 public:
  HeaderCursor(Bytes bytes, std::int32_t count) : reader_(bytes), left_(count) {}

  // The next header; nothing after the last and at the first fault.
  std::optional<HeaderView> next();
  // Whether the bytes did not hold what they announced, or held more. Meaningful when next() gave nothing.
  bool failed() const { return failed_; }

 private:
  detail::Reader reader_;
  std::int32_t left_;
  bool failed_ = false;
};

struct RecordView {
  std::int8_t attributes = 0;
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  std::int32_t header_count = 0;
  Bytes header_bytes;  // all headers, still encoded
  Bytes bytes;         // the whole record with its length

  HeaderCursor headers() const { return {header_bytes, header_count}; }
  // Walks the headers; true without a look where there are none.
  bool has_sound_headers() const {
    return header_count == 0 ? header_bytes.empty() : detail::sound_headers(header_bytes, header_count);
  }
};

class RecordCursor {
 public:
  // `records` lies behind the header of a batch (decompressed) that claims `count` records.
  RecordCursor(Bytes records, std::int32_t count) : reader_(records), left_(count < 0 ? 0 : count) {}

  // The next record; nothing after the last, and at the first fault. Bytes behind the last record are a fault
  // too.
  std::optional<RecordView> next();
  // truncated: the bytes end before the announced records do. malformed: they are no records.
  std::optional<Errc> fault() const { return fault_; }
  // The number of records given so far, which is the index of the record that a fault is about.
  std::int32_t index() const { return index_; }

 private:
  std::optional<RecordView> stop(Errc fault) {
    fault_ = fault;
    left_ = 0;
    return std::nullopt;
  }

  detail::Reader reader_;
  std::int32_t left_;
  std::int32_t index_ = 0;
  std::optional<Errc> fault_;
};

// Inlined always: the view then lives in registers, and a walk takes 7 ns a record instead of 30.
[[gnu::always_inline]] inline std::optional<RecordView> RecordCursor::next() {
  if (left_ == 0) {
    if (!fault_ && reader_.left() != 0) return stop(Errc::malformed);
    return std::nullopt;
  }
  const std::byte* const begin = reader_.position();
  std::int32_t length = 0;
  if (!reader_.varint(length))
    return stop(reader_.left() < kVarintMaxBytes ? Errc::truncated : Errc::malformed);
  if (length < 0) return stop(Errc::malformed);
  Bytes body;
  if (!reader_.take(static_cast<std::size_t>(length), body)) return stop(Errc::truncated);

  std::optional<RecordView> record(std::in_place);
  detail::Reader inside(body);
  const bool sound = inside.byte(record->attributes) && inside.varlong(record->timestamp_delta) &&
                     inside.varint(record->offset_delta) && inside.nullable(record->key) &&
                     inside.nullable(record->value) && inside.varint(record->header_count) &&
                     record->header_count >= 0;
  // A header takes two bytes at least, so a count beyond that is a lie that nobody should loop over.
  if (!sound || static_cast<std::size_t>(record->header_count) > inside.left() / 2)
    return stop(Errc::malformed);
  if (record->header_count == 0 && inside.left() != 0) return stop(Errc::malformed);
  record->header_bytes = inside.rest();
  record->bytes = {begin, reader_.position()};
  --left_;
  ++index_;
  return record;
}

// The records of a batch. REQUIRES: batch.codec() is none; else the bytes are decompressed first.
inline RecordCursor records_of(const BatchView& batch) {
  return {batch.records(), batch.records_count()};
}

// A record's place and time, told by its batch.
inline Offset offset_of(const BatchView& batch, const RecordView& record) {
  return batch.offset_at(record.offset_delta);
}
inline std::int64_t timestamp_of(const BatchView& batch, const RecordView& record) {
  if (batch.timestamp_type() == TimestampType::log_append_time) return batch.max_timestamp();
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(batch.base_timestamp()) +
                                   static_cast<std::uint64_t>(record.timestamp_delta));
}
inline std::int32_t sequence_of(const BatchView& batch, const RecordView& record) {
  return sequence_after(batch.base_sequence(), record.offset_delta);
}

}  // namespace tailwater::records
