#include "core/journal/ring_scan.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "base/plant.hpp"

namespace tailwater::journal {

namespace {

constexpr std::uint64_t kReadBytes = std::uint64_t{4} << 20;

}  // namespace

RingScan::RingScan(const Superblock& superblock, Trust trust, std::uint64_t file_bytes)
    : trust_(trust),
      journal_id_(superblock.journal_id),
      incarnation_(superblock.incarnation),
      capacity_(superblock.capacity),
      frame_bytes_max_(superblock.frame_bytes_max),
      limit_(superblock.trim + superblock.capacity),
      jumps_(superblock.jumps),
      expected_(superblock.trim),
      prev_crc_(superblock.trim_prev_crc),
      beyond_at_(kRingStart + superblock.capacity),
      beyond_end_(round_down(file_bytes, kBlock)) {
  follow_jumps();
}

void RingScan::follow_jumps() {
  // Jumps are in ascending order; one may begin where another ended if no frame was written between two
  // crashes.
  for (const Jump& jump : jumps_) {
    if (jump.from == expected_ && jump.to > jump.from && jump.to <= limit_) expected_ = jump.to;
  }
}

std::optional<RingScan::Range> RingScan::wanted() const {
  if (phase_ == Phase::over) return std::nullopt;
  if (phase_ == Phase::beyond) return Range{beyond_at_, std::min(kReadBytes, beyond_end_ - beyond_at_)};
  const Lsn at = phase_ == Phase::frames ? expected_ : looking_at_;
  const Lsn end = phase_ == Phase::frames ? limit_ : window_end_;
  const std::uint64_t size = std::min({std::max(kReadBytes, 2 * frame_bytes_max_), lap_rest(at), end - at});
  // At the limit there is nothing to read; a range of no bytes lets feed() come to that conclusion.
  return Range{ring_position(at, capacity_), size};
}

bool RingScan::chained(const FrameHeader& header) const {
  return header.journal_id == journal_id_ && header.lsn == expected_ && header.prev_header_crc == prev_crc_ &&
         header.frame_bytes() <= frame_bytes_max_ && header.frame_bytes() <= lap_rest(expected_) &&
         header.lsn + header.frame_bytes() <= limit_;
}

void RingScan::feed(Bytes bytes, const Receiver& receiver) {
  CHECK(phase_ != Phase::over);
  if (phase_ == Phase::frames) {
    feed_frames(bytes, receiver);
  } else if (phase_ == Phase::window) {
    feed_window(bytes);
  } else {
    feed_beyond(bytes);
  }
}

void RingScan::feed_frames(Bytes bytes, const Receiver& receiver) {
  const std::size_t asked = wanted()->size;
  bytes = bytes.first(std::min(bytes.size(), asked));
  bool took_one = false;
  while (true) {
    const std::optional<FrameHeader> header = decode_frame(bytes);
    if (!header || !chained(*header)) break;
    const std::uint64_t size = header->frame_bytes();
    if (size > bytes.size()) {
      // The rest of this frame comes with the next range, which begins with it.
      if (took_one) return;
      break;
    }
    const Bytes payload = bytes.subspan(kFrameHeaderSize, header->payload_bytes);
    if (crc32c(payload) != header->payload_crc) break;
    if (planted(Plant::lost_tail) && size < bytes.size() && !decode_frame(bytes.subspan(size))) break;
    if (!receiver(*header, EntryCursor(payload, header->entry_count))) {
      phase_ = Phase::over;
      return;
    }
    marks_.push_back({header->lsn, prev_crc_});
    while (!unsettled_.empty() && unsettled_.front().lsn < header->settled) unsettled_.pop_front();
    unsettled_.push_back({header->lsn, size});
    took_one = true;
    prev_crc_ = header->header_crc;
    const Lsn behind = expected_ + size;
    expected_ = behind;
    follow_jumps();
    if (expected_ != behind) return;
    bytes = bytes.subspan(size);
    if (bytes.empty()) return;
  }
  begin_window();
}

void RingScan::cut(Lsn lsn) {
  CHECK(phase_ == Phase::over);
  for (; !marks_.empty() && marks_.back().lsn >= lsn; marks_.pop_back()) {
    expected_ = marks_.back().lsn;
    prev_crc_ = marks_.back().prev_header_crc;
  }
  while (!unsettled_.empty() && unsettled_.back().lsn >= lsn) unsettled_.pop_back();
  CHECK(expected_ == lsn);
}

void RingScan::begin_window() {
  // An earlier start has come as far as each jump: a bad place before one is no torn end.
  damaged_ =
      std::any_of(jumps_.begin(), jumps_.end(), [&](const Jump& jump) { return jump.from > expected_; });
  if (damaged_) {
    phase_ = Phase::over;
    return;
  }
  phase_ = Phase::window;
  looking_at_ = expected_;
  std::uint64_t window = capacity_;
  if (trust_ == Trust::newest) {
    // With the first frame behind a jump that the superblock does not know.
    window = std::min(window, window_bytes(static_cast<std::uint32_t>(frame_bytes_max_)) + kBlock);
  }
  // Also beyond the limit, where the next lap overwrites what is live: a newer superblock may have allowed it.
  window_end_ = expected_ + window;
}

// Whether a frame that lies where `at` would says that something behind the end had been settled, or was formed when
// there was more room, or comes from a start that the superblock does not know: then a newer superblock was written,
// and did not stay. A frame of an earlier lap says nothing of that, nor does one that is live.
bool RingScan::proves_more(const FrameHeader& header, Lsn at) const {
  return header.journal_id == journal_id_ && header.lsn.value % capacity_ == at.value % capacity_ &&
         (header.settled > expected_ || header.lsn >= limit_ || header.incarnation > incarnation_);
}

void RingScan::feed_window(Bytes bytes) {
  const std::uint64_t asked = wanted()->size;
  for (std::uint64_t at = 0; at + kBlock <= bytes.size() && at < asked; at += kBlock) {
    const std::optional<FrameHeader> header = decode_frame(bytes.subspan(at));
    if (header && proves_more(*header, looking_at_ + at)) {
      damaged_ = true;
      phase_ = Phase::over;
      return;
    }
  }
  looking_at_ = looking_at_ + asked;
  if (looking_at_ >= window_end_) begin_beyond();
}

void RingScan::begin_beyond() {
  phase_ = beyond_at_ < beyond_end_ ? Phase::beyond : Phase::over;
}

// Whether a frame that lies where the ring that the superblock knows has no place belongs to what is live. Of
// an earlier lap nothing can lie there: so far the ring came by the newer superblock only. One frame is
// enough, since it says of those before it at most that they were settled.
bool RingScan::proves_growth(const FrameHeader& header) const {
  return header.journal_id == journal_id_ &&
         (header.lsn >= expected_ || header.settled > expected_ || header.incarnation > incarnation_);
}

void RingScan::feed_beyond(Bytes bytes) {
  const std::uint64_t asked = wanted()->size;
  for (std::uint64_t at = 0; at + kBlock <= bytes.size() && at < asked; at += kBlock) {
    const std::optional<FrameHeader> header = decode_frame(bytes.subspan(at));
    if (!header || !proves_growth(*header)) continue;
    damaged_ = true;
    phase_ = Phase::over;
    return;
  }
  beyond_at_ += asked;
  if (beyond_at_ >= beyond_end_) phase_ = Phase::over;
}

}  // namespace tailwater::journal
