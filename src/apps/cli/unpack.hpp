// Binary keys and values as numbers, in the manner of kcat and of Python's struct:
//   < little endian, > big endian (default)    b B  8 bits, signed and unsigned     h H  16    i I  32    q Q
//   64 c one character    s the rest as text    . one byte skipped    $ here the bytes must end
// Numbers are printed with a space between them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace tailwater::apps::cli {

Result<void> check_unpack(std::string_view pattern);

// What does not fit the bytes is said in place: "(3 bytes are too few)". REQUIRES: check_unpack(pattern).
void append_unpacked(std::string& out, std::string_view pattern, std::string_view bytes);

}  // namespace tailwater::apps::cli
