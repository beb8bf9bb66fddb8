// What every generated message header needs. For each message M there are
//   decode(Reader&, version, M&)          total; M is reset first, fields that the version lacks keep
//                                         defaults
//   encode(Writer&, version, const M&)    REQUIRES a version that M has; drops what the version cannot carry
//   encoded_size(version, const M&)
//   unsupported_field(version, const M&)  the first field that encode would drop although its receiver
//                                         needs it
//   print(out, version, const M&)         JSON; secrets only on demand
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "wire/error_code.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace tailwater::wire {

// Whether print() shows passwords, tokens and keys.
enum class Secrets : std::uint8_t { hide, show };

}  // namespace tailwater::wire
