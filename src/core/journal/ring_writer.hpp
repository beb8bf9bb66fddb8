// The writing end of the ring: forms frames in memory that is handed in, knows what is in flight, durable and
// free. GUARANTEES: addresses only grow; a frame never overwrites what was not trimmed; durable() passes an
// address only when every frame below it was reported. Does no I/O and keeps no frame's bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "core/journal/format.hpp"

namespace tailwater::journal {

class RingWriter {
 public:
  struct Start {
    std::uint64_t journal_id = 0;
    std::uint64_t capacity = 0;
    std::uint32_t frame_bytes_max = 0;
    std::uint32_t incarnation = 0;
    Lsn trim;
    std::uint32_t trim_prev_crc = 0;
    Lsn next;
    std::uint32_t prev_header_crc = 0;
  };
  // A frame that still is in the ring, in order: where it begins and the header_crc of the one before it.
  struct Mark {
    Lsn lsn;
    std::uint32_t prev_header_crc = 0;
  };

  RingWriter() = default;
  // `marks` are the frames from start.trim on.
  RingWriter(const Start& start, std::deque<Mark> marks);

  Lsn next() const { return next_; }
  Lsn durable() const { return in_flight_.empty() ? next_ : in_flight_.front().lsn; }
  Lsn trim() const { return trim_; }
  std::uint64_t capacity() const { return capacity_; }
  std::uint64_t used() const { return next_ - trim_; }
  std::uint64_t journal_id() const { return journal_id_; }
  std::uint32_t incarnation() const { return incarnation_; }
  std::uint32_t frame_bytes_max() const { return frame_bytes_max_; }
  std::size_t in_flight() const { return in_flight_.size(); }
  std::uint32_t last_header_crc() const { return prev_header_crc_; }

  // Bytes that the next frame may have: bounded by the frame's limit, the end of the lap and what is trimmed.
  std::uint64_t room() const;
  // The same without regard to what is trimmed: what the end of the lap leaves.
  std::uint64_t lap_room() const { return capacity_ - next_.value % capacity_; }

  // --- one frame at a time: begin, add while it takes something, finish
  // REQUIRES: at least kBlock bytes and no more than room(), whole blocks.
  void begin(MutableBytes memory);
  // Whether an entry with `length` bytes fits whole.
  bool fits(std::size_t length) const;
  // Bytes of content that an entry could still bring along; 0 if there is no room for its header.
  std::size_t content_room() const;
  // REQUIRES: fits(entry.length), content.size() == entry.length.
  void add(const EntryHeader& entry, Bytes content);

  struct Frame {
    Lsn lsn;
    std::uint64_t position = 0;  // in the ring's file
    Bytes bytes;                 // whole blocks, a part of what begin() got
    std::size_t payload = 0;
  };
  // REQUIRES: at least one entry was added.
  Frame finish();

  // The write of this frame is durable. Returns whether durable() moved.
  bool completed(Lsn lsn);

  // Frames below are no longer needed, and the superblock that says so is durable. REQUIRES: a frame's
  // address, or next().
  void trimmed(Lsn trim);
  // header_crc of the frame before the one at `trim`, for the superblock.
  std::uint32_t prev_crc_at(Lsn trim) const;

  // Goes on behind a gap (superblock.hpp: jumps). REQUIRES: nothing in flight.
  void jump(Lsn to);
  // Whether the ring may become `capacity` large now without moving a live frame.
  bool can_grow_to(std::uint64_t capacity) const;
  // Until grown(), only such frames are formed as both sizes have at the same place. REQUIRES: can_grow_to().
  void prepare_growth(std::uint64_t capacity);
  void grown(std::uint64_t capacity);

 private:
  bool stays_in_place(std::uint64_t capacity) const;
  struct InFlight {
    Lsn lsn;
    bool done = false;
  };

  std::uint64_t journal_id_ = 0;
  std::uint64_t capacity_ = 0;
  std::uint32_t frame_bytes_max_ = 0;
  std::uint32_t incarnation_ = 0;
  Lsn trim_;
  std::uint32_t trim_prev_crc_ = 0;
  Lsn next_;
  std::uint32_t prev_header_crc_ = 0;
  std::optional<Lsn> held_end_;  // no frame begins here
  std::deque<Mark> marks_;
  std::deque<InFlight> in_flight_;

  MutableBytes memory_;
  std::size_t filled_ = 0;
  std::uint32_t entries_ = 0;
};

}  // namespace tailwater::journal
