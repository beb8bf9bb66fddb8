// Cuts one JSON value out of a stream. It finds the end only; whether it is good JSON is the parser's matter.
#pragma once

#include <string>

#include "apps/cli/byte_stream.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

// Skips white space before the value. A value that is no object, array or string ends at white space, a comma
// or a closing bracket. Errc::truncated if the input ends within it.
Result<std::string> take_json(ByteStream& stream);

// Skips spaces and line ends; whether something follows.
bool skip_space(ByteStream& stream);

}  // namespace tailwater::apps::cli
