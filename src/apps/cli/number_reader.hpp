// Reads one number of a format from a stream, in any of its forms.
#pragma once

#include <cstdint>

#include "apps/cli/byte_stream.hpp"
#include "apps/cli/format_syntax.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

// Sign-extended where the form has a width.
Result<std::int64_t> read_number(ByteStream& stream, const NumberForm& form);

// A size: what read_number gives, without its sign, except that all bits set stands for null, which is -1.
Result<std::int64_t> read_size(ByteStream& stream, const NumberForm& form);

}  // namespace tailwater::apps::cli
