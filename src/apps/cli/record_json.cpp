#include "apps/cli/record_json.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <iterator>

#include "apps/cli/text_encoding.hpp"

namespace tailwater::apps::cli {

namespace {

namespace json = boost::json;

// "name":"text", or "name_base64":"...", or "name":null.
void append_bytes(std::string& out, std::string_view name, const std::optional<std::string_view>& bytes) {
  const bool text = !bytes || is_utf8(*bytes);
  fmt::format_to(std::back_inserter(out), "\"{}{}\":", name, text ? "" : "_base64");
  if (!bytes) {
    out += "null";
  } else if (text) {
    append_json_string(out, *bytes);
  } else {
    out += '"';
    append_base64(out, *bytes, Padding::with);
    out += '"';
  }
}

void append_size(std::string& out, std::string_view name, const std::optional<std::string_view>& bytes) {
  if (bytes) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":{}", name, bytes->size());
  } else {
    fmt::format_to(std::back_inserter(out), ",\"{}\":null", name);
  }
}

std::unexpected<Error> refuse(std::string message) {
  return fail(Errc::malformed, std::move(message));
}

// The bytes of a member of the object, in either spelling; nullopt if neither is there.
using Found = std::optional<std::optional<std::string>>;
Result<Found> find_bytes(const json::object& object, const std::string& name) {
  const json::value* plain = object.if_contains(name);
  const json::value* encoded = object.if_contains(name + "_base64");
  if (plain != nullptr && encoded != nullptr) {
    return refuse(fmt::format("\"{0}\" and \"{0}_base64\" exclude each other", name));
  }
  if (plain != nullptr) {
    if (plain->is_null()) return Found(std::optional<std::string>());
    if (plain->is_string()) return Found(std::string(plain->get_string()));
    return Found(json::serialize(*plain));
  }
  if (encoded == nullptr) return Found();
  auto bytes = encoded->is_string() ? from_base64(encoded->get_string()) : std::nullopt;
  if (!bytes) return refuse(fmt::format("\"{}_base64\" is no base64", name));
  return Found(std::move(bytes));
}

Result<void> read_header(const json::value& value, InputRecord& record) {
  if (!value.is_object()) return refuse(R"(a header is {"key":"...","value":"..."})");
  auto key = find_bytes(value.get_object(), "key");
  if (!key) return std::unexpected(key.error());
  if (!*key || !**key) return refuse("a header needs a \"key\"");
  auto content = find_bytes(value.get_object(), "value");
  if (!content) return std::unexpected(content.error());
  record.headers.push_back({***key, content->value_or(std::nullopt)});
  return {};
}

Result<void> read_headers(const json::value& headers, InputRecord& record) {
  if (headers.is_null()) return {};
  if (headers.is_array()) {
    for (const json::value& header : headers.get_array()) {
      if (auto read = read_header(header, record); !read) return read;
    }
    return {};
  }
  if (!headers.is_object()) return refuse("\"headers\" is an array or an object");
  for (const auto& [key, value] : headers.get_object()) {
    if (!value.is_string() && !value.is_null()) return refuse("the value of a header is a string or null");
    record.headers.push_back({std::string(key), std::nullopt});
    if (value.is_string()) record.headers.back().value = std::string(value.get_string());
  }
  return {};
}

Result<std::optional<std::int64_t>> find_number(const json::object& object, const char* name,
                                                std::int64_t high) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr || found->is_null()) return std::nullopt;
  if (!found->is_int64() || found->get_int64() < -1 || found->get_int64() > high) {
    return refuse(fmt::format("\"{}\" is no number from 0 to {}", name, high));
  }
  if (found->get_int64() == -1) return std::nullopt;
  return found->get_int64();
}

}  // namespace

void append_json(std::string& out, const RecordView& record, RecordParts parts) {
  out += "{\"topic\":";
  append_json_string(out, is_utf8(record.topic) ? record.topic : printable(record.topic));
  fmt::format_to(std::back_inserter(out), ",\"partition\":{},\"offset\":{}", record.partition, record.offset);
  if (record.timestamp) {
    fmt::format_to(std::back_inserter(out), ",\"timestamp\":{},\"timestamp_type\":\"{}\"", *record.timestamp,
                   record.appended_time ? "append" : "create");
  }
  if (parts == RecordParts::without_content) {
    append_size(out, "key_size", record.key);
    append_size(out, "value_size", record.value);
    fmt::format_to(std::back_inserter(out), ",\"header_count\":{}}}", record.headers.size());
    return;
  }
  out += ',';
  append_bytes(out, "key", record.key);
  out += ',';
  append_bytes(out, "value", record.value);
  out += ",\"headers\":[";
  for (std::size_t index = 0; index < record.headers.size(); ++index) {
    out += index == 0 ? "{" : ",{";
    append_bytes(out, "key", record.headers[index].key);
    out += ',';
    append_bytes(out, "value", record.headers[index].value);
    out += '}';
  }
  out += "]}";
}

Result<void> read_json(std::string_view text, InputRecord& record) {
  record = InputRecord{};
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error) return refuse(fmt::format("no JSON: {}", error.message()));
  if (!parsed.is_object()) return refuse("a record is a JSON object");
  const json::object& object = parsed.get_object();
  auto key = find_bytes(object, "key");
  if (!key) return std::unexpected(key.error());
  auto value = find_bytes(object, "value");
  if (!value) return std::unexpected(value.error());
  if (!*value) return refuse(R"(there is no "value"; write "value":null for a record without one)");
  record.key = std::move(*key).value_or(std::nullopt);
  record.value = *std::move(*value);
  if (const json::value* headers = object.if_contains("headers")) {
    if (auto read = read_headers(*headers, record); !read) return read;
  }
  const auto partition = find_number(object, "partition", INT32_MAX);
  if (!partition) return std::unexpected(partition.error());
  if (*partition) record.partition = static_cast<std::int32_t>(**partition);
  const auto timestamp = find_number(object, "timestamp", INT64_MAX);
  if (!timestamp) return std::unexpected(timestamp.error());
  record.timestamp = *timestamp;
  return {};
}

}  // namespace tailwater::apps::cli
