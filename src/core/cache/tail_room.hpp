// How much memory the recent bytes may take: little at first, so that a broker that only takes records uses
// the same memory again and again (touching a page for the first time costs more processor time than all the
// rest of a large produce), and more by every byte that a reader missed where twice as much would have held it.
// Who reads what is much older is no reason to keep more: it would be gone as well.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tailwater::cache {

class TailRoom {
 public:
  TailRoom(std::uint64_t start, std::uint64_t max) : bytes_(std::min(start, max)), max_(max) {}

  // So many bytes came for a log. Gives how many have come for all, which is kept of the log's newest ones.
  std::uint64_t came(std::uint64_t bytes) { return came_ += bytes; }

  // A reader had to ask the disk for `bytes`, which lie `behind` bytes before the end of their log. Since that
  // end came (`newest`, of came()), others took room as well.
  void missed(std::uint64_t bytes, std::uint64_t behind, std::uint64_t newest) {
    const std::uint64_t distance = behind + (came_ - newest);
    if (distance / 2 <= bytes_) bytes_ = std::min(max_, bytes_ + bytes);
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::uint64_t bytes_;
  std::uint64_t max_;
  std::uint64_t came_ = 0;
};

}  // namespace tailwater::cache
