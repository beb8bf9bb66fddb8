// Translation of schema terms into C++ terms.
#include "emit.hpp"

#include <algorithm>
#include <climits>

namespace wiregen {

Text& Text::line(const std::string& content) {
  if (content.starts_with("}") && !content.starts_with("}  // namespace")) --level_;
  if (!content.empty()) text_ += std::string(static_cast<std::size_t>(level_) * 2, ' ') + content;
  text_ += '\n';
  if (content.ends_with("{") && !content.starts_with("namespace")) ++level_;
  return *this;
}

Text& Text::raw(const std::string& lines) {
  text_ += lines;
  return *this;
}

Text& Text::when(const std::string& condition, const std::string& statement) {
  if (condition.empty()) return line(statement);
  const std::string whole = "if (" + condition + ") " + statement;
  if (whole.size() + static_cast<std::size_t>(level_) * 2 <= kColumns) return line(whole);
  return line("if (" + condition + ") {").line(statement).line("}");
}

std::string item_type(const Message& message, const Field& field) {
  switch (field.type.kind) {
    case Kind::boolean:
      return "bool";
    case Kind::int8:
      return "std::int8_t";
    case Kind::int16:
      return "std::int16_t";
    case Kind::uint16:
      return "std::uint16_t";
    case Kind::int32:
      return "std::int32_t";
    case Kind::uint32:
      return "std::uint32_t";
    case Kind::int64:
      return "std::int64_t";
    case Kind::float64:
      return "double";
    case Kind::error_code:
      return "ErrorCode";
    case Kind::uuid:
      return "Uuid";
    case Kind::string:
      return field.borrow ? "std::string_view" : "std::string";
    case Kind::bytes:
      return field.borrow ? "Bytes" : "Buffer";
    case Kind::records:
      return "Bytes";
    case Kind::structure:
      return struct_name(message, field.type.structure);
  }
  return "";
}

std::string value_type(const Message& message, const Field& field) {
  std::string type = item_type(message, field);
  if (field.type.array) type = "std::vector<" + type + ">";
  if (is_nullable(field)) type = "std::optional<" + type + ">";
  return type;
}

bool is_nullable(const Field& field) {
  return !field.nullable.empty();
}

bool is_borrowed(const Field& field) {
  return field.type.kind == Kind::records || field.borrow;
}

bool is_span(const Field& field) {
  return is_borrowed(field) && field.type.kind != Kind::string;
}

bool empty_when_absent(const Field& field) {
  return is_nullable(field) && field.default_text == "empty";
}

std::string value_of_absent(const Message& message, const Field& field) {
  return field.type.array ? "std::vector<" + item_type(message, field) + ">{}"
                          : item_type(message, field) + "{}";
}

std::string default_value(const Field& field) {
  if (field.type.array || is_nullable(field)) return "";
  const std::string& text = field.default_text;
  switch (field.type.kind) {
    case Kind::boolean:
      return text.empty() ? "false" : text;
    case Kind::int8:
    case Kind::int16:
    case Kind::uint16:
    case Kind::int32:
    case Kind::uint32:
    case Kind::int64:
      break;
    case Kind::float64:
      return text.empty() ? "0" : text;
    case Kind::error_code:
      return "ErrorCode::none";
    default:
      return "";
  }
  if (text.empty()) return "0";
  const long long value = std::stoll(text, nullptr, 0);
  if (value == INT_MIN) return "INT32_MIN";
  if (value == INT_MAX) return "INT32_MAX";
  if (value == LLONG_MAX) return "INT64_MAX";
  return std::to_string(value);
}

bool always(const Versions& versions, const Versions& valid) {
  return versions.covers(valid);
}

bool never(const Versions& versions, const Versions& valid) {
  return versions.empty() || versions.high < valid.low || versions.low > valid.high;
}

std::string condition(const Versions& versions, const Versions& valid) {
  if (never(versions, valid)) return "false";
  const std::string from = "version >= " + std::to_string(versions.low);
  const std::string to = "version <= " + std::to_string(versions.high);
  const bool from_start = versions.low <= valid.low;
  const bool to_end = versions.high >= valid.high;
  if (from_start && to_end) return "";
  if (from_start) return to;
  if (to_end) return from;
  return from + " && " + to;
}

std::string both(const std::string& left, const std::string& right) {
  if (left.empty()) return right;
  if (right.empty()) return left;
  return left + " && " + right;
}

std::string differs_from_default(const Message& message, const Field& field, const std::string& access) {
  if (empty_when_absent(field)) return access + " != " + value_of_absent(message, field);
  if (is_nullable(field)) return field.tag ? access + ".has_value()" : "!is_empty(" + access + ")";
  if (field.type.array || field.type.kind == Kind::string) return "!" + access + ".empty()";
  switch (field.type.kind) {
    case Kind::boolean:
      return default_value(field) == "true" ? "!" + access : access;
    case Kind::uuid:
      return "!" + access + ".is_zero()";
    case Kind::bytes:
    case Kind::records:
      return "!" + access + ".empty()";
    case Kind::structure:
      return access + " != " + item_type(message, field) + "{}";
    default:
      return access + " != " + default_value(field);
  }
}

namespace {

int fewest_bytes_in(const Message& message, const Struct& structure, int version);

int fewest_bytes_of(const Message& message, const Field& field, int version) {
  const bool flexible = message.flexible.contains(version);
  if (field.type.array) return flexible ? 1 : 4;
  switch (field.type.kind) {
    case Kind::boolean:
    case Kind::int8:
      return 1;
    case Kind::int16:
    case Kind::uint16:
    case Kind::error_code:
      return 2;
    case Kind::int32:
    case Kind::uint32:
      return 4;
    case Kind::int64:
    case Kind::float64:
      return 8;
    case Kind::uuid:
      return 16;
    case Kind::string:
      return flexible ? 1 : 2;
    case Kind::bytes:
    case Kind::records:
      return flexible ? 1 : 4;
    case Kind::structure:
      break;
  }
  if (field.nullable.contains(version)) return 1;
  return fewest_bytes_in(message, message.find(field.type.structure), version);
}

int fewest_bytes_in(const Message& message, const Struct& structure, int version) {
  int bytes = message.flexible.contains(version) ? 1 : 0;
  for (const Field& field : structure.fields) {
    if (!field.tag && field.versions.contains(version)) bytes += fewest_bytes_of(message, field, version);
  }
  return bytes;
}

}  // namespace

int fewest_bytes(const Message& message, const Struct& structure, const Versions& within) {
  int fewest = INT_MAX;
  for (int version = message.valid.low; version <= message.valid.high; ++version) {
    if (within.contains(version)) fewest = std::min(fewest, fewest_bytes_in(message, structure, version));
  }
  if (fewest <= 0 || fewest == INT_MAX) {
    throw SchemaError(message.name + ": an element of " + structure.name + " takes no bytes");
  }
  return fewest;
}

std::string struct_name(const Message& message, const std::string& structure) {
  return structure.starts_with(message.name) ? structure : message.name + structure;
}

std::vector<const Field*> tagged_fields(const Struct& structure) {
  std::vector<const Field*> fields;
  for (const Field& field : structure.fields) {
    if (field.tag) fields.push_back(&field);
  }
  std::sort(fields.begin(), fields.end(), [](const Field* a, const Field* b) { return *a->tag < *b->tag; });
  return fields;
}

}  // namespace wiregen
