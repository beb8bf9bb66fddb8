// errno of a disk operation as an Error: the code that machines react to, and a sentence that names the path.
// Only operations that allocate may say out_of_space (and those that could not open what they needed, which is not
// decided here): there nothing is lost, the caller holds back and resumes. A write or sync that fails for
// whatever reason is Errc::storage.
#pragma once

#include <string>
#include <string_view>

#include "base/disk.hpp"

namespace tailwater::shell {

std::string errno_text(int error);
std::string_view to_string(DiskOpKind kind);

Error disk_error(DiskOpKind kind, std::string_view path, int error);

}  // namespace tailwater::shell
