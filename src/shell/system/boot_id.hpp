// Which run of the kernel this is: the same id means that the page cache is still the one that was written
// to.
#pragma once

#include <string>

#include "base/uuid.hpp"

namespace tailwater::shell {

// The zero id where the kernel does not say; it must then be taken for another one every time.
Uuid boot_id();

// "0f5b1c9e-3b0a-4c52-9c0d-9d1a5e0f7a11\n" as the kernel writes it; the zero id if it is anything else.
Uuid parse_boot_id(const std::string& text);

}  // namespace tailwater::shell
