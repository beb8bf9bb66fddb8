// Splitting a stream into frames, and framing what is sent.
#include "wire/frame.hpp"

#include <cstdint>
#include <string>

#include "base/check.hpp"

namespace tailwater::wire {

Result<FrontFrame> split_frame(Bytes buffered, std::size_t size_max) {
  if (buffered.size() < kFrameHead) return FrontFrame{.missing = kFrameHead - buffered.size(), .body = {}};
  const auto announced = load_big<std::int32_t>(buffered.data());
  if (announced < 0)
    return fail(Errc::malformed, "a frame announces " + std::to_string(announced) + " bytes");
  const auto size = static_cast<std::size_t>(announced);
  if (size > size_max) {
    return fail(Errc::too_large, "a frame announces " + std::to_string(size) + " bytes, more than the " +
                                     std::to_string(size_max) + " that are allowed");
  }
  const Bytes rest = buffered.subspan(kFrameHead);
  if (rest.size() < size) return FrontFrame{.missing = size - rest.size(), .body = {}};
  return FrontFrame{.missing = 0, .body = rest.first(size)};
}

std::size_t begin_frame(Buffer& buffer) {
  const std::size_t begin = buffer.size();
  buffer.resize(begin + kFrameHead);
  return begin;
}

void end_frame(Buffer& buffer, std::size_t begin, std::size_t elsewhere) {
  CHECK(buffer.size() >= begin + kFrameHead);
  const std::size_t size = buffer.size() - begin - kFrameHead + elsewhere;
  CHECK(size <= INT32_MAX);
  store_big(buffer.data() + begin, static_cast<std::int32_t>(size));
}

}  // namespace tailwater::wire
