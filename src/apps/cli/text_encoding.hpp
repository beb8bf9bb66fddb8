// Bytes as text and back: hex, base64, escapes, JSON strings, UTF-8.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace tailwater::apps::cli {

void append_hex(std::string& out, std::string_view bytes);
// Digits of either case, no spaces. nullopt if `text` is no hex.
std::optional<std::string> from_hex(std::string_view text);

enum class Padding { with, without };
void append_base64(std::string& out, std::string_view bytes, Padding padding);
// With or without padding, of the standard alphabet. nullopt if `text` is no base64.
std::optional<std::string> from_base64(std::string_view text);
std::size_t base64_size(std::size_t bytes, Padding padding);

// Well-formed UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view bytes);

// A JSON string with its quotes. REQUIRES: is_utf8(text).
void append_json_string(std::string& out, std::string_view text);

// For tables: control characters and what is no UTF-8 become \xNN, so that a name cannot drive a terminal.
std::string printable(std::string_view text);
// Columns that it takes; every character counts as one.
std::size_t display_width(std::string_view text);

// "1 topic", "3 topics"
std::string counted(std::size_t count, std::string_view noun);

// The value of one hex digit, or -1.
int hex_digit(char letter);

// Takes what follows a backslash: t n r \ 0, or xNN. Errc::invalid_argument on others.
Result<char> take_escape(std::string_view& after_backslash);

}  // namespace tailwater::apps::cli
