#include "base/result.hpp"

namespace tailwater {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::truncated:
      return "truncated";
    case Errc::malformed:
      return "malformed";
    case Errc::too_large:
      return "too large";
    case Errc::unsupported:
      return "unsupported";
    case Errc::corrupt:
      return "corrupt";
    case Errc::not_found:
      return "not found";
    case Errc::already_exists:
      return "already exists";
    case Errc::invalid_argument:
      return "invalid argument";
    case Errc::out_of_space:
      return "out of space";
    case Errc::storage:
      return "storage error";
    case Errc::busy:
      return "busy";
    case Errc::unavailable:
      return "unavailable";
  }
  return "unknown";
}

}  // namespace tailwater
