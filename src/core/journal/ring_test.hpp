// A ring in memory for tests: frames go through RingWriter into an image, and RingScan reads them back.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/journal/ring_scan.hpp"
#include "core/journal/ring_writer.hpp"

namespace tailwater::journal {

class TestRing {
 public:
  TestRing(std::uint64_t blocks, std::uint32_t frame_blocks)
      : superblock_{.sequence = 2,
                    .journal_id = 4711,
                    .capacity = blocks * kBlock,
                    .frame_bytes_max = static_cast<std::uint32_t>(frame_blocks * kBlock),
                    .incarnation = 1},
        image_(kRingStart + blocks * kBlock, std::byte{0xa5}) {
    reopen(Lsn{0}, 0, {});
  }

  void reopen(Lsn next, std::uint32_t prev_crc, std::deque<RingWriter::Mark> marks) {
    writer_ = RingWriter({.journal_id = superblock_.journal_id,
                          .capacity = superblock_.capacity,
                          .frame_bytes_max = superblock_.frame_bytes_max,
                          .incarnation = superblock_.incarnation,
                          .trim = superblock_.trim,
                          .trim_prev_crc = superblock_.trim_prev_crc,
                          .next = next,
                          .prev_header_crc = prev_crc},
                         std::move(marks));
  }

  // Forms one frame with one entry whose content is `text`; written at once unless `image` says otherwise.
  RingWriter::Frame form(const std::string& text) {
    memory_.emplace_back(writer_.room() + kBlock);
    std::byte* aligned = memory_.back().data();
    writer_.begin({aligned, static_cast<std::size_t>(writer_.room())});
    writer_.add(
        {.log = LogId{1}, .kind = EntryKind::batches, .length = static_cast<std::uint32_t>(text.size())},
        as_bytes(text));
    return writer_.finish();
  }
  void write(const RingWriter::Frame& frame, std::size_t bytes_landed = SIZE_MAX) {
    std::copy_n(frame.bytes.begin(), std::min(bytes_landed, frame.bytes.size()),
                image_.begin() + static_cast<std::ptrdiff_t>(frame.position));
  }
  RingWriter::Frame append(const std::string& text) {
    const RingWriter::Frame frame = form(text);
    write(frame);
    writer_.completed(frame.lsn);
    return frame;
  }
  void trim(Lsn to) {
    superblock_.trim_prev_crc = writer_.prev_crc_at(to);
    superblock_.trim = to;
    writer_.trimmed(to);
  }

  // All that Growth does, but the superblock.
  void grow(std::uint64_t blocks) {
    image_.resize(kRingStart + blocks * kBlock, std::byte{0xa5});
    writer_.prepare_growth(blocks * kBlock);
    writer_.grown(blocks * kBlock);
  }

  struct Found {
    std::vector<std::string> texts;
    Lsn end;
    bool damaged = false;
    std::uint32_t prev_crc = 0;
    std::deque<RingWriter::Mark> marks;
  };
  Found scan() const { return scan(superblock_, RingScan::Trust::newest); }
  Found scan(const Superblock& superblock, RingScan::Trust trust) const {
    RingScan scan(superblock, trust, image_.size());
    Found found;
    while (const auto range = scan.wanted()) {
      scan.feed(Bytes(image_).subspan(range->position, range->size),
                [&](const FrameHeader&, EntryCursor entries) {
                  while (const auto entry = entries.next()) found.texts.emplace_back(as_text(entry->content));
                  return true;
                });
    }
    found.end = scan.end();
    found.damaged = scan.damaged();
    found.prev_crc = scan.prev_header_crc();
    found.marks = scan.take_marks();
    return found;
  }

  Superblock superblock_;
  RingWriter writer_;
  Buffer image_;

 private:
  std::vector<Buffer> memory_;
};

}  // namespace tailwater::journal
