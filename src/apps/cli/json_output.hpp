// JSON results of admin commands: one object, one line, on standard output.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "wire/error_code.hpp"

namespace tailwater::apps::cli {

namespace json = boost::json;

void print_json(const json::value& value);

// A string; bytes that are no UTF-8 are escaped, since JSON cannot hold them.
json::value text(std::string_view value);
json::value text_or_null(const std::optional<std::string>& value);

// null if there is none, else {"code":"TOPIC_ALREADY_EXISTS","message":"..."}.
json::value error_value(wire::ErrorCode code, const std::optional<std::string>& message = std::nullopt);

// "TOPIC_ALREADY_EXISTS: Topic 'a' already exists." The broker's own words are preferred to the general ones.
std::string error_text(wire::ErrorCode code, const std::optional<std::string>& message = std::nullopt);

}  // namespace tailwater::apps::cli
