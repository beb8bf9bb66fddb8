// Small helps for this room's tests: bytes from hex and text, ready batches. Never included by product code.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "records/batch.hpp"
#include "records/builder.hpp"

namespace tailwater::records::testing {

inline Buffer from_hex(std::string_view text) {
  const auto digit = [](char letter) { return letter <= '9' ? letter - '0' : letter - 'a' + 10; };
  Buffer bytes;
  int high = -1;
  for (const char letter : text) {
    if (letter == ' ' || letter == '\n') continue;
    if (high < 0) {
      high = digit(letter);
    } else {
      bytes.push_back(static_cast<std::byte>(high * 16 + digit(letter)));
      high = -1;
    }
  }
  return bytes;
}

// Compressible text of any length.
inline Buffer text_of(std::size_t size) {
  constexpr std::string_view kWords = "the quick brown fox jumps over the lazy dog 0123456789 ";
  Buffer bytes;
  for (std::size_t at = 0; at < size; ++at) {
    const auto letter = static_cast<unsigned char>(kWords[at % kWords.size()]);
    bytes.push_back(static_cast<std::byte>(letter + (at / 977) % 3));
  }
  return bytes;
}

// `count` records "key-i" -> "value-i" with a header each, timestamps from 1000 on.
inline Buffer batch_of(std::int32_t count, BatchOptions options = {}) {
  BatchBuilder builder(options);
  for (std::int32_t index = 0; index < count; ++index) {
    const std::string key = "key-" + std::to_string(index);
    const std::string value = "value-" + std::to_string(index);
    const HeaderView header{as_bytes("trace"), as_bytes(value)};
    CHECK(builder.add(1000 + index, as_bytes(key), as_bytes(value), {&header, 1}));
  }
  Buffer bytes;
  CHECK(builder.finish(bytes).has_value());
  return bytes;
}

}  // namespace tailwater::records::testing
