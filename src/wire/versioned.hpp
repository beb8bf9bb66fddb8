// Messages that carry their own version, as coordinators store them and consumers exchange them:
//   record key    int16 record type (kRecordKey), then the key's fields in version 0
//   record value  int16 version, then the value's fields
//   consumer protocol (subscription, assignment)   int16 version, then the fields, never flexible
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/message.hpp"

namespace tailwater::wire {

template <class Message>
Buffer encode_versioned(std::int16_t version, const Message& message) {
  Buffer buffer;
  Writer writer(buffer);
  writer.int16(version);
  encode(writer, version, message);
  return buffer;
}

template <class Key>
Buffer encode_record_key(const Key& key) {
  Buffer buffer;
  Writer writer(buffer);
  writer.int16(Key::kRecordKey);
  encode(writer, Key::kMinVersion, key);
  return buffer;
}

// What a reader does with a version that is newer than the newest it knows.
enum class Newer : std::uint8_t {
  refuse,
  read_as_newest,  // the consumer protocol only appends fields
};

template <class Message>
Result<Message> decode_versioned(Bytes bytes, Newer newer = Newer::refuse) {
  Reader reader(bytes);
  std::int16_t version = reader.int16();
  if (!reader.ok()) return fail(Errc::truncated, "the bytes end within their version");
  if (newer == Newer::read_as_newest) version = std::min(version, Message::kMaxVersion);
  Message message;
  if (auto outcome = decode(reader, version, message); !outcome)
    return std::unexpected(std::move(outcome.error()));
  return message;
}

// The type of a coordinator record's key: its kRecordKey.
inline Result<std::int16_t> record_key_type(Bytes key) {
  Reader reader(key);
  const std::int16_t type = reader.int16();
  if (!reader.ok()) return fail(Errc::truncated, "the record's key ends within its type");
  return type;
}

// REQUIRES: record_key_type(key) == Key::kRecordKey, else Errc::unsupported.
template <class Key>
Result<Key> decode_record_key(Bytes bytes) {
  Reader reader(bytes);
  const std::int16_t type = reader.int16();
  if (!reader.ok()) return fail(Errc::truncated, "the record's key ends within its type");
  if (type != Key::kRecordKey) return fail(Errc::unsupported, "the record's key is of another type");
  Key key;
  if (auto outcome = decode(reader, Key::kMinVersion, key); !outcome) {
    return std::unexpected(std::move(outcome.error()));
  }
  return key;
}

}  // namespace tailwater::wire
