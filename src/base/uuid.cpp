#include "base/uuid.hpp"

#include <array>

namespace tailwater {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int digit_of(char letter) {
  const auto at = kAlphabet.find(letter);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

// 128 bits are 21 digits of six bits and one last digit whose low four bits are zero.
std::string to_string(const Uuid& id) {
  std::string text(22, 'A');
  for (int at = 0; at < 22; ++at) {
    const int shift = 122 - 6 * at;  // of the digit's lowest bit; -4 for the last one
    std::uint64_t digit = 0;
    if (shift >= 64) {
      digit = id.high >> (shift - 64);
    } else if (shift > 58) {
      digit = (id.high << (64 - shift)) | (id.low >> shift);
    } else if (shift >= 0) {
      digit = id.low >> shift;
    } else {
      digit = id.low << -shift;
    }
    text[static_cast<std::size_t>(at)] = kAlphabet[digit & 63];
  }
  return text;
}

Result<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 22) return fail(Errc::malformed, "a topic id has 22 characters of URL-safe base64");
  Uuid id;
  for (int at = 0; at < 22; ++at) {
    const int digit = digit_of(text[static_cast<std::size_t>(at)]);
    if (digit < 0) return fail(Errc::malformed, "a topic id has 22 characters of URL-safe base64");
    const int bits = at == 21 ? 2 : 6;
    const auto part = static_cast<std::uint64_t>(at == 21 ? digit >> 4 : digit);
    id.high = (id.high << bits) | (id.low >> (64 - bits));
    id.low = (id.low << bits) | part;
  }
  return id;
}

}  // namespace tailwater
