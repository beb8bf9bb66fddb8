// Frames: int32 size, then that many bytes; the same in both directions.
#pragma once

#include <cstddef>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace tailwater::wire {

inline constexpr std::size_t kFrameHead = 4;

// What the front of a receive buffer is. Either `missing` bytes have to come before anything can be said
// (never 0 then: as many as are known to be missing), or the frame is whole and `body` borrows it from the
// buffer.
struct FrontFrame {
  std::size_t missing = 0;
  Bytes body;

  bool whole() const { return missing == 0; }
  // Bytes to drop from the buffer's front when the frame is done with. REQUIRES: whole().
  std::size_t size() const { return kFrameHead + body.size(); }
};

// Errc::malformed for a negative size, Errc::too_large beyond `size_max`: the connection cannot go on then.
// Both are said as soon as the four bytes are there, before memory for the body is found.
Result<FrontFrame> split_frame(Bytes buffered, std::size_t size_max);

// Begins a frame at the end of `buffer`; end_frame writes its size, to which `elsewhere` bytes that are sent
// with it but do not stand in the buffer are added. The result of begin_frame is what end_frame wants.
std::size_t begin_frame(Buffer& buffer);
void end_frame(Buffer& buffer, std::size_t begin, std::size_t elsewhere = 0);

}  // namespace tailwater::wire
