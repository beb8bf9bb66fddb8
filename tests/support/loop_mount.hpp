// For tests: a small ext4 with journal on a loop device, gone afterwards. Needs root, losetup and mkfs.ext4; a
// test that cannot have it skips, saying why. With CI=true it fails instead.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "support/temporary_folder.hpp"

namespace tailwater {

// Options of a file system that has no fallocate.
inline constexpr const char* kCannotReserve = "-O ^extents,^64bit";

class LoopMount {
 public:
  // REQUIRES: reason() is looked at before anything else is used.
  explicit LoopMount(std::uint64_t megabytes, const std::string& file_system_options = {}) {
    if (::geteuid() != 0) {
      reason_ = "not root: no loop device";
      return;
    }
    image_ = folder_.path() + "/image";
    mounted_at_ = folder_.path() + "/mounted";
    std::filesystem::create_directory(mounted_at_);
    const int file = ::open(image_.c_str(), O_RDWR | O_CREAT, 0600);
    const bool sized = file >= 0 && ::ftruncate(file, static_cast<off_t>(megabytes << 20)) == 0;
    ::close(file);
    if (!sized ||
        first_line_of("mkfs.ext4 -q -F -J size=4 -m 0 " + file_system_options + " " + image_).empty()) {
      reason_ = "mkfs.ext4 is not there or failed";
      return;
    }
    const std::string device = first_line_of("losetup --find --show " + image_);
    if (device.empty()) {
      reason_ = "no loop device to be had";
      return;
    }
    device_ = device.substr(device.rfind('/') + 1);
    mounted_ = ::mount(device.c_str(), mounted_at_.c_str(), "ext4", 0, "") == 0;
    if (!mounted_) reason_ = "cannot mount: " + std::string(std::strerror(errno));
  }
  ~LoopMount() {
    if (mounted_) ::umount2(mounted_at_.c_str(), MNT_DETACH);
    if (!device_.empty()) first_line_of("losetup -d /dev/" + device_);
  }
  LoopMount(const LoopMount&) = delete;
  LoopMount& operator=(const LoopMount&) = delete;

  const std::string& reason() const { return reason_; }  // why there is none; empty: there is one
  const std::string& path() const { return mounted_at_; }

  // That the device completed so far.
  std::uint64_t device_flushes() const {
    const auto numbers = numbers_in("/sys/block/" + device_ + "/stat");
    return numbers.size() > 15 ? numbers[15] : 0;
  }
  // Reads and writes that it works on.
  std::uint64_t device_in_flight() const {
    const auto numbers = numbers_in("/sys/block/" + device_ + "/inflight");
    return numbers.size() == 2 ? numbers[0] + numbers[1] : 0;
  }
  // Of the file system.
  std::uint64_t journal_commits() const {
    const auto numbers = numbers_in("/proc/fs/jbd2/" + device_ + "-8/info");
    return numbers.empty() ? 0 : numbers[0];
  }
  bool remount_read_only() const {
    return ::mount(nullptr, mounted_at_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
  }

 private:
  // What the command prints first, or empty if it fails.
  static std::string first_line_of(const std::string& command) {
    std::FILE* pipe = ::popen(("PATH=$PATH:/sbin:/usr/sbin " + command + " 2>/dev/null").c_str(), "r");
    if (pipe == nullptr) return {};
    char line[256] = {};
    const bool read = std::fgets(line, sizeof line, pipe) != nullptr;
    std::string text = read ? line : "";
    while (!text.empty() && text.back() == '\n') text.pop_back();
    const bool succeeded = ::pclose(pipe) == 0;
    return succeeded ? (text.empty() ? "done" : text) : "";
  }
  static std::vector<std::uint64_t> numbers_in(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t number = 0; file >> number;) numbers.push_back(number);
    return numbers;
  }

  TemporaryFolder folder_;
  std::string image_;
  std::string mounted_at_;
  std::string device_;  // "loop3"
  std::string reason_;
  bool mounted_ = false;
};

}  // namespace tailwater

#define NEEDS(mount)                                       \
  if (!(mount).reason().empty()) {                         \
    const char* const ci = std::getenv("CI");              \
    if (ci != nullptr && std::string_view(ci) == "true") { \
      FAIL() << (mount).reason();                          \
    }                                                      \
    GTEST_SKIP() << (mount).reason();                      \
  }                                                        \
  static_assert(true)
