// Result<T>: an expected outcome, or an Error that says what went wrong and, where known, what to do.
// A code exists only if some caller reacts to it; Kafka's own codes live in wire/error_code.hpp.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace tailwater {

enum class Errc : std::uint8_t {
  truncated,    // the bytes end before the value does
  malformed,    // the bytes cannot be what they claim to be
  too_large,    // beyond a stated limit
  unsupported,  // well formed, but not spoken here
  corrupt,      // a checksum does not match
  not_found,
  already_exists,
  invalid_argument,  // a user's value; the message names the key and what is allowed
  out_of_space,      // the disk is full: hold back and resume
  storage,           // any other disk error: the directory goes offline
  busy,              // in use by another process
  unavailable,       // a peer or a service does not answer
};

std::string_view to_string(Errc code);

struct Error {
  Errc code{};
  std::string message;  // one sentence for a person, without the code's name
  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string message = {}) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace tailwater
