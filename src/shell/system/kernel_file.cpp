#include "shell/system/kernel_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "shell/disk/descriptor.hpp"

namespace tailwater::shell {

std::string read_kernel_file(const std::string& path) {
  constexpr std::size_t kBytesMax = 65536;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[4096];
  while (file && text.size() < kBytesMax) {
    const ssize_t got = ::read(file.get(), buffer, sizeof buffer);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace tailwater::shell
