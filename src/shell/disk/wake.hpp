// An eventfd that tells an event loop that completions are waiting. Its counter only says "look"; it need not
// be read if the loop watches edges. Signalling from any thread is safe.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "shell/disk/descriptor.hpp"

namespace tailwater::shell {

class Wake {
 public:
  // Throws std::system_error: without it a disk cannot start.
  Wake() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!descriptor_) throw std::system_error(errno, std::generic_category(), "eventfd");
  }

  int get() const { return descriptor_.get(); }
  void signal() const {
    const std::uint64_t one = 1;
    // It fails only when the counter is full, and then the loop is awake anyway.
    [[maybe_unused]] const auto written = ::write(descriptor_.get(), &one, sizeof one);
  }
  // Level-triggered loops call this before they poll the disk.
  void clear() const {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(descriptor_.get(), &count, sizeof count);
  }

 private:
  Descriptor descriptor_;
};

}  // namespace tailwater::shell
