// The reading end of the ring, at start: from the trim position frame by frame to the end, which is either
// the place where the last write tore (cut there) or damage of what had been acknowledged (never cut).
//   1 frames are taken as long as they are valid (format.hpp); jumps of the superblock are followed
//   2 at the first bad place x, the blocks of one window behind it are searched for a frame header that says
//     that more than x was settled, or that is of a later start than the superblock, or of a lap for which that
//     has no room: then x was acknowledged and is damaged now, or the superblock is not the newest; else x is the
//     torn end. If it is known that the newer superblock may be lost, all of the ring is searched
//   3 what the file has beyond the ring is searched, too: a newer superblock may have made it larger
// What cannot be told from tearing on one machine: rot in the very last settled frame, behind which nothing
// was written. Fed with blocks by whoever reads them; total on any bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "core/journal/format.hpp"
#include "core/journal/ring_writer.hpp"
#include "core/journal/superblock.hpp"

namespace tailwater::journal {

// More than all frames that can be in flight at once.
constexpr std::uint64_t window_bytes(std::uint32_t frame_bytes_max) {
  return 4 * std::uint64_t{frame_bytes_max};
}

class RingScan {
 public:
  enum class Trust : std::uint8_t { newest, maybe_older };  // of the superblock
  // `file_bytes`: of the ring's file, where it may be longer than the superblock knows.
  explicit RingScan(const Superblock& superblock, Trust trust = Trust::newest, std::uint64_t file_bytes = 0);

  struct Range {
    std::uint64_t position = 0;  // in the ring's file
    std::uint64_t size = 0;
  };
  // What to read next; nothing when the scan is over. At most 4 MiB or two frames.
  std::optional<Range> wanted() const;

  // The bytes of the range wanted last, and a receiver of each valid frame in order, which may stop the scan.
  // A short read (bytes.size() < size) counts as bad bytes.
  using Receiver = std::function<bool(const FrameHeader& frame, EntryCursor entries)>;
  void feed(Bytes bytes, const Receiver& receiver);

  bool over() const { return phase_ == Phase::over; }
  // When over:
  bool damaged() const { return damaged_; }
  Lsn end() const { return expected_; }  // the place to cut at, or that of the damage
  std::uint32_t prev_header_crc() const { return prev_crc_; }
  std::uint64_t frames() const { return marks_.size(); }
  // The valid frames that were not known to be on stable storage when the last of them was formed, in order.
  struct Unsettled {
    Lsn lsn;
    std::uint64_t bytes = 0;
  };
  const std::deque<Unsettled>& unsettled() const { return unsettled_; }
  std::deque<RingWriter::Mark> take_marks() { return std::move(marks_); }
  // The frame at `lsn`, which was never acknowledged, nor what follows it, is the torn end. REQUIRES: over; a
  // frame that was received.
  void cut(Lsn lsn);

 private:
  enum class Phase : std::uint8_t { frames, window, beyond, over };

  std::uint64_t lap_rest(Lsn lsn) const { return capacity_ - lsn.value % capacity_; }
  void follow_jumps();
  void feed_frames(Bytes bytes, const Receiver& receiver);
  void feed_window(Bytes bytes);
  void feed_beyond(Bytes bytes);
  void begin_window();
  void begin_beyond();
  bool chained(const FrameHeader& header) const;

  bool proves_more(const FrameHeader& header, Lsn at) const;
  bool proves_growth(const FrameHeader& header) const;

  Trust trust_;
  std::uint64_t journal_id_;
  std::uint32_t incarnation_;
  std::uint64_t capacity_;
  std::uint64_t frame_bytes_max_;
  Lsn limit_;  // nothing live lies at or beyond
  std::vector<Jump> jumps_;

  Phase phase_ = Phase::frames;
  bool damaged_ = false;
  Lsn expected_;
  std::uint32_t prev_crc_;
  Lsn looking_at_;
  Lsn window_end_;
  std::uint64_t beyond_at_;  // positions in the file
  std::uint64_t beyond_end_;
  std::deque<RingWriter::Mark> marks_;
  std::deque<Unsettled> unsettled_;
};

}  // namespace tailwater::journal
