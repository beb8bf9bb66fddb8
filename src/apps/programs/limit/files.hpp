// Durable bytes at the least cost: a ring of frames, each one write that is on the disk when it ends
// (O_DIRECT, O_DSYNC, into blocks that were written before), and files that are written again and again from
// their beginning. Everything through one io_uring; completions are taken by the thread that asked.
#pragma once

#include <liburing.h>
#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace tailwater::limit {

inline constexpr std::size_t kBlock = 4096;
constexpr std::size_t whole_blocks(std::size_t bytes) {
  return (bytes + kBlock - 1) / kBlock * kBlock;
}

// Memory at a block's boundary.
class BlockMemory {
 public:
  explicit BlockMemory(std::size_t bytes);
  ~BlockMemory();
  BlockMemory(const BlockMemory&) = delete;
  BlockMemory& operator=(const BlockMemory&) = delete;
  MutableBytes bytes() const { return {begin_, size_}; }

 private:
  std::byte* begin_;
  std::size_t size_;
};

class Files {
 public:
  using Done = std::function<void()>;

  static constexpr std::size_t kJournalBytes = std::size_t{256} << 20;

  // `wake` is an eventfd that is signalled with completions. Throws std::runtime_error, also below. REQUIRES:
  // a journal of at least two frames of 4 MiB.
  Files(const std::string& folder, int wake, std::size_t journal_bytes = kJournalBytes);
  ~Files();
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  // A file that holds `bytes` and is recycled.
  int make_file(const std::string& name, std::size_t bytes);

  // Bytes for the frame that is being filled; done(): they are on the disk, and so is all that was added
  // before.
  void add(Bytes bytes);
  void when_durable(Done done);
  // Sends the frame off if it is time: none under way, or one and this one is worth it.
  void flush();

  // A write without a promise of its own: a frame that begins later hardens it.
  void write(int file, std::uint64_t position, Bytes blocks, Done done);

  // Handles what has ended.
  void complete();

 private:
  struct Frame {
    std::unique_ptr<BlockMemory> memory;
    std::size_t size = 0;
    std::vector<Done> waiting;
    bool is_over = false;
  };
  struct Write {
    int file = -1;
    std::uint64_t position = 0;
    Bytes bytes;
    Done done;
    Frame* frame = nullptr;
  };

  void send_off();
  void submit_queued();
  std::unique_ptr<Frame> make_frame();
  void submit(std::unique_ptr<Write> write);
  void ended(Write& write, int result);

  const std::string folder_;
  const std::size_t journal_bytes_;
  io_uring ring_{};
  int journal_ = -1;
  std::vector<int> files_;
  std::uint64_t at_ = 0;  // in the journal
  std::unique_ptr<Frame> filling_;
  std::deque<std::unique_ptr<Frame>> under_way_;  // in order
  std::vector<std::unique_ptr<Frame>> spare_;
  std::deque<std::unique_ptr<Write>> queue_;  // of other writes
  std::size_t in_flight_ = 0;                 // of other writes
};

}  // namespace tailwater::limit
