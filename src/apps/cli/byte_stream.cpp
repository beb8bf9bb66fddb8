#include "apps/cli/byte_stream.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tailwater::apps::cli {

namespace {

constexpr std::size_t kReadSize = std::size_t{1} << 16;

std::unexpected<Error> too_long() {
  return fail(Errc::too_large, fmt::format("a record is longer than {} MiB; is the right delimiter given?",
                                           ByteStream::kRecordMax >> 20U));
}

}  // namespace

ByteStream ByteStream::of(std::string_view text) {
  ByteStream stream(nullptr);
  stream.buffer_ = text;
  stream.ended_ = true;
  return stream;
}

bool ByteStream::fill() {
  if (ended_) return false;
  // What was taken is dropped when it is the larger part, so that every byte moves at most once.
  if (at_ > buffer_.size() - at_) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  const std::size_t before = buffer_.size();
  buffer_.resize(before + std::max(kReadSize, before - at_));
  const std::size_t count = source_(buffer_.data() + before, buffer_.size() - before);
  buffer_.resize(before + count);
  ended_ = count == 0;
  return !ended_;
}

bool ByteStream::at_end() {
  return at_ == buffer_.size() && !fill();
}

Result<std::string_view> ByteStream::take(std::size_t size) {
  if (size > kRecordMax) return too_long();
  while (buffer_.size() - at_ < size) {
    if (!fill()) {
      return fail(Errc::truncated, fmt::format("the input ends where {} bytes are expected and {} are left",
                                               size, buffer_.size() - at_));
    }
  }
  const std::string_view taken = std::string_view(buffer_).substr(at_, size);
  at_ += size;
  return taken;
}

Result<std::optional<std::string_view>> ByteStream::take_until(std::string_view delimiter) {
  std::size_t searched = 0;
  for (;;) {
    const std::size_t found = buffer_.find(delimiter, at_ + searched);
    if (found != std::string::npos) {
      const std::string_view taken = std::string_view(buffer_).substr(at_, found - at_);
      at_ = found + delimiter.size();
      return taken;
    }
    const std::size_t available = buffer_.size() - at_;
    if (available > kRecordMax) return too_long();
    searched = available >= delimiter.size() ? available - delimiter.size() + 1 : 0;
    if (!fill()) return std::nullopt;
  }
}

Result<std::string_view> ByteStream::take_rest() {
  while (fill()) {
    if (buffer_.size() - at_ > kRecordMax) return too_long();
  }
  const std::string_view taken = std::string_view(buffer_).substr(at_);
  at_ = buffer_.size();
  return taken;
}

std::optional<char> ByteStream::peek(std::size_t distance) {
  while (buffer_.size() - at_ <= distance) {
    if (distance > kRecordMax || !fill()) return std::nullopt;
  }
  return buffer_[at_ + distance];
}

}  // namespace tailwater::apps::cli
