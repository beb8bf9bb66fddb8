#include "core/journal/ring_writer.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/crc32c.hpp"

namespace tailwater::journal {

RingWriter::RingWriter(const Start& start, std::deque<Mark> marks)
    : journal_id_(start.journal_id),
      capacity_(start.capacity),
      frame_bytes_max_(start.frame_bytes_max),
      incarnation_(start.incarnation),
      trim_(start.trim),
      trim_prev_crc_(start.trim_prev_crc),
      next_(start.next),
      prev_header_crc_(start.prev_header_crc),
      marks_(std::move(marks)) {
  CHECK(next_ >= trim_);
  CHECK(used() <= capacity_);
  CHECK(frame_bytes_max_ >= kBlock);
}

std::uint64_t RingWriter::room() const {
  if (held_end_ == next_) return 0;
  const std::uint64_t into_lap = next_.value % capacity_;
  return std::min({std::uint64_t{frame_bytes_max_}, capacity_ - into_lap, capacity_ - used()});
}

void RingWriter::begin(MutableBytes memory) {
  CHECK(memory_.empty());
  CHECK(memory.size() >= kBlock);
  CHECK(memory.size() <= room());
  CHECK(memory.size() % kBlock == 0);
  memory_ = memory;
  filled_ = kFrameHeaderSize;
  entries_ = 0;
}

bool RingWriter::fits(std::size_t length) const {
  return kEntryHeaderSize + length <= memory_.size() - filled_;
}

std::size_t RingWriter::content_room() const {
  const std::size_t left = memory_.size() - filled_;
  return left > kEntryHeaderSize ? left - kEntryHeaderSize : 0;
}

void RingWriter::add(const EntryHeader& entry, Bytes content) {
  CHECK(content.size() == entry.length);
  CHECK(fits(entry.length));
  encode(entry, memory_.data() + filled_);
  filled_ += kEntryHeaderSize;
  if (!content.empty()) std::memcpy(memory_.data() + filled_, content.data(), content.size());
  filled_ += content.size();
  // The padding to 8 bytes may not fit behind the last entry; the block ends at a multiple of 8 anyway.
  const std::size_t padded = std::min<std::size_t>(round_up(filled_, 8), memory_.size());
  std::memset(memory_.data() + filled_, 0, padded - filled_);
  filled_ = padded;
  ++entries_;
}

RingWriter::Frame RingWriter::finish() {
  CHECK(entries_ > 0);
  const std::size_t payload = filled_ - kFrameHeaderSize;
  FrameHeader header{.journal_id = journal_id_,
                     .lsn = next_,
                     .settled = durable(),
                     .incarnation = incarnation_,
                     .payload_bytes = static_cast<std::uint32_t>(payload),
                     .entry_count = entries_,
                     .prev_header_crc = prev_header_crc_,
                     .payload_crc = crc32c(memory_.subspan(kFrameHeaderSize, payload))};
  const std::size_t size = header.frame_bytes();
  CHECK(size <= memory_.size());
  std::memset(memory_.data() + filled_, 0, size - filled_);
  const std::uint32_t crc = encode(header, memory_.data());
  Frame frame{next_, ring_position(next_, capacity_), memory_.first(size), payload};
  marks_.push_back({next_, prev_header_crc_});
  in_flight_.push_back({next_});
  prev_header_crc_ = crc;
  next_ = next_ + size;
  memory_ = {};
  return frame;
}

bool RingWriter::completed(Lsn lsn) {
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(),
                                  [&](const InFlight& frame) { return frame.lsn == lsn; });
  CHECK(found != in_flight_.end());
  CHECK(!found->done);
  found->done = true;
  bool moved = false;
  while (!in_flight_.empty() && in_flight_.front().done) {
    in_flight_.pop_front();
    moved = true;
  }
  return moved;
}

void RingWriter::trimmed(Lsn trim) {
  CHECK(trim >= trim_);
  CHECK(trim <= durable());
  trim_prev_crc_ = prev_crc_at(trim);
  while (!marks_.empty() && marks_.front().lsn < trim) marks_.pop_front();
  trim_ = trim;
}

std::uint32_t RingWriter::prev_crc_at(Lsn trim) const {
  const auto mark = std::lower_bound(marks_.begin(), marks_.end(), trim,
                                     [](const Mark& m, Lsn lsn) { return m.lsn < lsn; });
  // Behind a jump there may be no frame yet, or `trim` may name the gap itself: the next frame's predecessor
  // counts.
  return mark == marks_.end() ? prev_header_crc_ : mark->prev_header_crc;
}

void RingWriter::jump(Lsn to) {
  CHECK(in_flight_.empty());
  CHECK(to >= next_);
  CHECK(to - trim_ <= capacity_);
  next_ = to;
}

// Live frames stay where they are iff both capacities map them alike: all in one lap, at the same place in
// the larger.
bool RingWriter::stays_in_place(std::uint64_t capacity) const {
  const std::uint64_t lap = trim_.value / capacity_;
  return lap == next_.value / capacity_ && lap % (capacity / capacity_) == 0;
}

bool RingWriter::can_grow_to(std::uint64_t capacity) const {
  // Where nothing is live, nothing moves.
  return capacity % capacity_ == 0 && (used() == 0 || stays_in_place(capacity));
}

void RingWriter::prepare_growth(std::uint64_t capacity) {
  CHECK(can_grow_to(capacity));
  held_end_ = stays_in_place(capacity) ? Lsn{next_.value - next_.value % capacity_ + capacity_} : next_;
}

void RingWriter::grown(std::uint64_t capacity) {
  CHECK(held_end_.has_value());
  capacity_ = capacity;
  held_end_.reset();
}

}  // namespace tailwater::journal
