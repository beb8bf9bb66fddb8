// The manual page, tailwater(1), from what the command line says of itself.
#pragma once

#include <string>
#include <string_view>

namespace tailwater::apps {
struct DescribedCommand;
}

namespace tailwater::apps::cli {

// In the man macros of roff.
std::string man_page(const DescribedCommand& program, std::string_view version);

}  // namespace tailwater::apps::cli
