// Buffers of answers that were sent, for the answers to come: small ones, and not many.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace tailwater::session {

class BufferPool {
 public:
  // An empty buffer, with memory if there is a spare one.
  Buffer take() {
    if (spare_.empty()) return {};
    Buffer buffer = std::move(spare_.back());
    spare_.pop_back();
    return buffer;
  }
  void give(Buffer&& buffer) {
    if (buffer.capacity() == 0 || buffer.capacity() > kBytesMax || spare_.size() >= kBuffersMax) return;
    buffer.clear();
    spare_.push_back(std::move(buffer));
  }
  std::size_t size() const { return spare_.size(); }

 private:
  static constexpr std::size_t kBuffersMax = 512;
  static constexpr std::size_t kBytesMax = 2048;  // each: a megabyte at most is kept
  std::vector<Buffer> spare_;
};

}  // namespace tailwater::session
