// How much memory the recent bytes may take: little at first, so that a broker that only takes records uses
// the same memory again and again (touching a page for the first time costs more processor time than all the
// rest of a large produce), and more by every byte that a reader missed while it was still within reach.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tailwater::cache {

class TailRoom {
 public:
  TailRoom(std::uint64_t start, std::uint64_t max) : bytes_(std::min(start, max)), max_(max) {}

  // A reader had to ask the disk for `bytes`, which lie `behind` bytes before the end of their log.
  void missed(std::uint64_t bytes, std::uint64_t behind) {
    if (behind <= max_) bytes_ = std::min(max_, bytes_ + bytes);
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::uint64_t bytes_;
  std::uint64_t max_;
};

}  // namespace tailwater::cache
