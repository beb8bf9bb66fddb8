// Java's .properties format, as Kafka's server.properties is written: comments, separators "=", ":" or a
// space, lines continued with a backslash, escapes. Text is UTF-8. Values keep their trailing spaces, as in
// Java.
//
//   line      = comment | key [separator value]           white space is space, tab and form feed
//   comment   = ("#" | "!") anything, never continued
//   escape    = \t \n \r \f \uXXXX (surrogate pairs too), or a backslash before any other character: that
//             character
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace tailwater::shell {

struct Property {
  std::string key;
  std::string value;
  int line = 0;  // where it begins, from 1
};

// All properties in the order of the text, repeated keys included. Fails with malformed; the message is
// "<name>:<line>: what is wrong". Never asks for more memory than a few times the text's size.
Result<std::vector<Property>> parse_properties(std::string_view text, std::string_view name);

// Reads and parses a file of at most 16 MiB.
Result<std::vector<Property>> read_properties(const std::string& path);

}  // namespace tailwater::shell
