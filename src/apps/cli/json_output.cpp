#include "apps/cli/json_output.hpp"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstdio>

#include "apps/cli/standard_output.hpp"
#include "apps/cli/text_encoding.hpp"

namespace tailwater::apps::cli {

void print_json(const json::value& value) {
  const std::string line = json::serialize(value) + "\n";
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) output_failed(errno);
}

json::value text(std::string_view value) {
  return is_utf8(value) ? json::value(value) : json::value(printable(value));
}

json::value text_or_null(const std::optional<std::string>& value) {
  return value ? text(*value) : json::value(nullptr);
}

json::value error_value(wire::ErrorCode code, const std::optional<std::string>& message) {
  if (code == wire::ErrorCode::none) return nullptr;
  const bool own_words = message && !message->empty();
  json::object error;
  error["code"] = wire::name(code);
  error["message"] = own_words ? text(*message) : json::value(wire::message(code));
  return error;
}

std::string error_text(wire::ErrorCode code, const std::optional<std::string>& message) {
  const bool own_words = message && !message->empty();
  return fmt::format("{}: {}", wire::name(code),
                     own_words ? printable(*message) : std::string(wire::message(code)));
}

}  // namespace tailwater::apps::cli
