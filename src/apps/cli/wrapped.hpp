// Text for people, in lines that are not too long.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tailwater::apps::cli {

// Text broken into lines of at most `width`, each with `indent` spaces before it and a line end behind it.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

}  // namespace tailwater::apps::cli
