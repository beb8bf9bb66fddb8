// Shared ends of the generated decoders.
#include "wire/codec.hpp"

#include <algorithm>
#include <string>

namespace tailwater::wire {

namespace {

std::string with_version(std::string_view message, std::int16_t version) {
  return std::string(message) + " version " + std::to_string(version);
}

}  // namespace

std::unexpected<Error> refuse_version(std::string_view message, std::int16_t version) {
  return fail(Errc::unsupported, with_version(message, version) + " is not spoken here");
}

Result<void> finish_decode(const Reader& reader, std::string_view message, std::int16_t version) {
  if (reader.ok()) return {};
  const std::string subject = with_version(message, version);
  switch (reader.error()) {
    case Errc::truncated:
      return fail(Errc::truncated, subject + " ends before its last field does");
    case Errc::too_large:
      return fail(Errc::too_large, subject + " exceeds a limit of its size");
    default:
      return fail(reader.error(), subject + " has a field with an impossible length, null or tag");
  }
}

bool same_bytes(Bytes left, Bytes right) {
  return std::ranges::equal(left, right);
}

bool same_bytes(const std::optional<Bytes>& left, const std::optional<Bytes>& right) {
  if (left.has_value() != right.has_value()) return false;
  return !left || same_bytes(*left, *right);
}

}  // namespace tailwater::wire
