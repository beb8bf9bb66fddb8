// A folder for one test, which goes away with it. It is on a disk: below TMPDIR or /var/tmp, since /tmp may
// be memory.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tailwater {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    const char* wanted = ::getenv("TMPDIR");
    path_ = std::string(wanted != nullptr ? wanted : "/var/tmp") + "/tailwater-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder: " + path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tailwater
