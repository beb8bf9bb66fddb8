// What the generated encoders, decoders and printers share. The functions read_fields, write_fields and
// print_fields of an element type are found by argument-dependent lookup in the generated file that uses
// these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "base/result.hpp"
#include "wire/printer.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace tailwater::wire {

// The outcome of a decoder that has run; the message names what was decoded.
Result<void> finish_decode(const Reader& reader, std::string_view message, std::int16_t version);
std::unexpected<Error> refuse_version(std::string_view message, std::int16_t version);

template <class Message>
constexpr bool speaks(std::int16_t version) {
  return version >= Message::kMinVersion && version <= Message::kMaxVersion;
}

template <class Item>
std::optional<std::vector<Item>> read_nullable_items(Reader& reader, std::int16_t version, Form form,
                                                     Null null, std::size_t item_bytes,
                                                     std::size_t count_max = Reader::kNoLimit) {
  const std::int64_t count = reader.array_count(form, null, item_bytes, sizeof(Item), count_max);
  if (count < 0) return std::nullopt;
  std::vector<Item> items(static_cast<std::size_t>(count));
  for (Item& item : items) {
    read_fields(reader, version, item);
    if (!reader.ok()) break;
  }
  return items;
}

template <class Item>
std::vector<Item> read_items(Reader& reader, std::int16_t version, Form form, std::size_t item_bytes,
                             std::size_t count_max = Reader::kNoLimit) {
  auto items = read_nullable_items<Item>(reader, version, form, Null::refused, item_bytes, count_max);
  return items ? *std::move(items) : std::vector<Item>{};
}

template <class Struct>
std::optional<Struct> read_nullable(Reader& reader, std::int16_t version, Null null) {
  if (!reader.present(null)) return std::nullopt;
  std::optional<Struct> result(std::in_place);
  read_fields(reader, version, *result);
  return result;
}

// Inside a tag the marker of a nullable struct is an unsigned varint: 0 for null, 1 for a struct that
// follows.
template <class Struct>
std::optional<Struct> read_tagged_nullable(Reader& reader, std::int16_t version) {
  if (reader.uvarint() == 0) return std::nullopt;
  std::optional<Struct> result(std::in_place);
  read_fields(reader, version, *result);
  return result;
}

template <class Item>
void write_items(Writer& writer, std::int16_t version, Form form, const std::vector<Item>& items) {
  writer.array_count(items.size(), form);
  for (const Item& item : items) write_fields(writer, version, item);
}

template <class Item>
void write_nullable_items(Writer& writer, std::int16_t version, Form form, Null null,
                          const std::optional<std::vector<Item>>& items) {
  if (!items) return writer.null_array(form, null);
  write_items(writer, version, form, *items);
}

template <class Struct>
void write_nullable(Writer& writer, std::int16_t version, const std::optional<Struct>& value) {
  writer.present(value.has_value());
  if (value) write_fields(writer, version, *value);
}

template <class Struct>
void write_tagged_nullable(Writer& writer, std::int16_t version, const std::optional<Struct>& value) {
  writer.uvarint(value ? 1 : 0);
  if (value) write_fields(writer, version, *value);
}

template <class Item>
void print_items(Printer& printer, std::int16_t version, const std::vector<Item>& items) {
  printer.begin_array();
  for (const Item& item : items) print_fields(printer, version, item);
  printer.end_array();
}

template <class Item>
void print_items(Printer& printer, std::int16_t version, const std::optional<std::vector<Item>>& items) {
  if (!items) return printer.null();
  print_items(printer, version, *items);
}

template <class Struct>
void print_nullable(Printer& printer, std::int16_t version, const std::optional<Struct>& value) {
  if (!value) return printer.null();
  print_fields(printer, version, *value);
}

// The first field of any element that `version` would drop.
template <class Item>
std::string_view lacking_items(std::int16_t version, const std::vector<Item>& items) {
  for (const Item& item : items) {
    if (const auto field = lacking_field(version, item); !field.empty()) return field;
  }
  return {};
}

template <class Item>
std::string_view lacking_items(std::int16_t version, const std::optional<std::vector<Item>>& items) {
  return items ? lacking_items(version, *items) : std::string_view{};
}

template <class Struct>
std::string_view lacking_nullable(std::int16_t version, const std::optional<Struct>& value) {
  return value ? lacking_field(version, *value) : std::string_view{};
}

// Whether a field has the value that a peer assumes when it is absent. An empty value of a nullable field
// counts as absent too: Kafka does not tell the two apart there.
template <class Value>
bool is_empty(const Value& value) {
  return value == Value{};
}
template <class Value>
bool is_empty(const std::optional<Value>& value) {
  return !value || *value == Value{};
}
inline bool is_empty(Bytes value) {
  return value.empty();
}
inline bool is_empty(const std::optional<Bytes>& value) {
  return !value || value->empty();
}

// Equality of borrowed bytes is equality of content.
bool same_bytes(Bytes left, Bytes right);
bool same_bytes(const std::optional<Bytes>& left, const std::optional<Bytes>& right);

}  // namespace tailwater::wire
