// The syncs of the file system under one log directory, of one disk. The kernel tells of a write-back that failed
// once through each open file description, whosever bytes those were: two that shared one would take each
// other's errors, and whoever came second would be told that all is well. So every disk has a description of
// its own, opened before it writes anything; one sync runs at a time; and after a failure all fail.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <utility>

#include "shell/disk/descriptor.hpp"

namespace tailwater::shell {

class FileSystemSync {
 public:
  explicit FileSystemSync(Descriptor folder) : folder_(std::move(folder)) {}

  // errno, 0 if everything that was written before is on stable storage. From any thread.
  int run() {
    const std::lock_guard lock(mutex_);
    while (failure_ == 0 && ::syncfs(folder_.get()) != 0) {
      if (errno != EINTR) failure_ = errno;
    }
    return failure_;
  }

 private:
  std::mutex mutex_;
  Descriptor folder_;
  int failure_ = 0;
};

}  // namespace tailwater::shell
