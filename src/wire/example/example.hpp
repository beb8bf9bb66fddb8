// Random messages for tests and fuzzers. The generated makers fill every field that exists in a version; this
// header holds what they share and the type-erased Example through which a test reaches all messages alike.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.hpp"
#include "wire/message.hpp"

namespace tailwater::wire {

// What a test may do with a message of any type.
struct Example {
  std::string_view name;
  std::int16_t api_key;  // -1 for records
  std::int16_t min_version;
  std::int16_t max_version;
  std::int16_t first_flexible;

  // The encoded form of a random message.
  Buffer (*make)(Prng& prng, std::int16_t version);
  // Random message, encoded and decoded: true if equal to what it was, with its size foretold.
  bool (*round_trip)(Prng& prng, std::int16_t version);
  // Decodes and encodes again; `json`, if given, gets the message's text with secrets shown.
  Result<Buffer> (*recode)(Bytes bytes, std::int16_t version, std::string* json);
  // Decodes `bytes`, encodes the result, decodes that: true if the first failed or both are equal.
  bool (*stable)(Bytes bytes, std::int16_t version);
};

// Every request, response and record of the schema.
std::vector<const Example*> all_examples();

inline void fill(Prng& prng, bool& value) {
  value = prng.one_in(2);
}

template <std::integral Number>
void fill(Prng& prng, Number& value) {
  constexpr std::array<std::int64_t, 6> edges{0, 1, -1, INT64_MAX, INT64_MIN, 0x1234567890abcdef};
  const std::uint64_t random = prng.next();
  value = static_cast<Number>(prng.one_in(3) ? static_cast<std::uint64_t>(edges[prng.below(edges.size())])
                                             : random);
}

inline void fill(Prng& prng, double& value) {
  value = static_cast<double>(prng.below(1'000'000)) / 8;
}
inline void fill(Prng& prng, ErrorCode& value) {
  value = static_cast<ErrorCode>(static_cast<std::int16_t>(prng.next()));
}
inline void fill(Prng& prng, Uuid& value) {
  value = prng.uuid();
}

inline void fill(Prng& prng, std::string& value) {
  value.clear();
  const std::uint64_t size = prng.one_in(20) ? 200 : prng.below(12);
  for (std::uint64_t at = 0; at < size; ++at) value += static_cast<char>('!' + prng.below(90));
  if (prng.one_in(4)) value += "\xc3\xbc";
}

inline void fill(Prng& prng, Buffer& value) {
  value.resize(prng.below(10));
  for (std::byte& byte : value) byte = static_cast<std::byte>(prng.next());
}

// Borrowed bytes come out of a table that lives for ever.
inline constexpr std::array<std::byte, 8> kBorrowable{std::byte{3}, std::byte{1}, std::byte{4}, std::byte{1},
                                                      std::byte{5}, std::byte{9}, std::byte{2}, std::byte{6}};
inline void fill(Prng& prng, Bytes& value) {
  value = Bytes(kBorrowable).first(prng.below(9));
}

inline void fill(Prng& prng, std::string_view& value) {
  value = std::string_view("borrowed").substr(0, prng.below(9));
}

template <class Item>
void fill(Prng& prng, std::vector<Item>& items) {
  items.resize(prng.below(4));
  for (Item& item : items) fill(prng, item);
}

template <class Value>
void fill_nullable(Prng& prng, bool can_be_null, std::optional<Value>& value) {
  value.reset();
  if (!(can_be_null && prng.one_in(4))) fill(prng, value.emplace());
}

template <class Item>
void fill_items(Prng& prng, std::int16_t version, std::vector<Item>& items) {
  items.resize(prng.below(4));
  for (Item& item : items) fill_fields(prng, version, item);
}

template <class Item>
void fill_nullable_items(Prng& prng, std::int16_t version, bool can_be_null,
                         std::optional<std::vector<Item>>& items) {
  items.reset();
  if (!(can_be_null && prng.one_in(4))) fill_items(prng, version, items.emplace());
}

template <class Struct>
void fill_nullable_struct(Prng& prng, std::int16_t version, bool can_be_null, std::optional<Struct>& value) {
  value.reset();
  if (!(can_be_null && prng.one_in(4))) fill_fields(prng, version, value.emplace());
}

template <class Message>
Buffer encoded(std::int16_t version, const Message& message) {
  Buffer buffer;
  Writer writer(buffer);
  encode(writer, version, message);
  return buffer;
}

template <class Message>
Buffer make_example(Prng& prng, std::int16_t version) {
  Message message;
  fill_fields(prng, version, message);
  return encoded(version, message);
}

template <class Message>
bool round_trip_example(Prng& prng, std::int16_t version) {
  Message message;
  fill_fields(prng, version, message);
  const Buffer buffer = encoded(version, message);
  Reader reader(buffer);
  Message decoded;
  if (!decode(reader, version, decoded) || reader.remaining() != 0) return false;
  return decoded == message && encoded_size(version, message) == buffer.size() &&
         unsupported_field(version, message).empty();
}

template <class Message>
Result<Buffer> recode_example(Bytes bytes, std::int16_t version, std::string* json) {
  Reader reader(bytes);
  Message message;
  if (const auto outcome = decode(reader, version, message); !outcome)
    return std::unexpected(outcome.error());
  if (json != nullptr) print(*json, version, message, Secrets::show);
  return encoded(version, message);
}

template <class Message>
bool stable_example(Bytes bytes, std::int16_t version) {
  Reader reader(bytes);
  Message message;
  if (!decode(reader, version, message)) return true;
  const Buffer buffer = encoded(version, message);
  Reader again(buffer);
  Message decoded;
  return decode(again, version, decoded).has_value() && again.remaining() == 0 &&
         encoded(version, decoded) == buffer;
}

template <class Message>
constexpr Example example_of(std::int16_t api_key) {
  return {Message::kName,
          api_key,
          Message::kMinVersion,
          Message::kMaxVersion,
          Message::kFirstFlexible,
          make_example<Message>,
          round_trip_example<Message>,
          recode_example<Message>,
          stable_example<Message>};
}

}  // namespace tailwater::wire
