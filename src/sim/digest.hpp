// A running digest over everything that goes into and comes out of the machines. Two runs of a seed must
// agree in it, whatever compiler made them. Only values are added, never addresses or padding.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/crc32c.hpp"

namespace tailwater::sim {

class Digest {
 public:
  void add(std::uint64_t number) {
    state_ ^= number + 0x9e3779b97f4a7c15ULL + (state_ << 6) + (state_ >> 2);
    state_ *= 0xff51afd7ed558ccdULL;
    state_ ^= state_ >> 32;
  }
  void add(Bytes bytes) {
    add(bytes.size());
    add(crc32c(bytes));
  }
  void add(std::string_view text) { add(as_bytes(text)); }

  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x7461696c77617465ULL;
};

}  // namespace tailwater::sim
