// For tests: an ext4 with journal on a loop device, small, and gone afterwards. Needs root, losetup and
// mkfs.ext4; a test that cannot have it skips, saying why.
#pragma once

#include <cstdint>
#include <string>

#include "shell/disk/disk_test_support.hpp"

namespace tailwater::shell {

class LoopMount {
 public:
  // REQUIRES: reason() is looked at before anything else is used.
  explicit LoopMount(std::uint64_t megabytes, const std::string& file_system_options = {});
  ~LoopMount();
  LoopMount(const LoopMount&) = delete;
  LoopMount& operator=(const LoopMount&) = delete;

  const std::string& reason() const { return reason_; }  // why there is none; empty: there is one
  const std::string& path() const { return mounted_at_; }

  std::uint64_t device_flushes() const;    // that the device completed so far
  std::uint64_t device_in_flight() const;  // reads and writes that it works on
  std::uint64_t journal_commits() const;   // of the file system
  bool remount_read_only() const;

 private:
  TemporaryFolder folder_;
  std::string image_;
  std::string mounted_at_;
  std::string device_;  // "loop3"
  std::string reason_;
  bool mounted_ = false;
};

}  // namespace tailwater::shell
