// The open files of a shard's segments: opens them on first use, closes the longest unused when there are too
// many. An operation on a file that is not open waits here until it is. A file that another process still has
// locked (its last writes may be in flight) is asked for again until it is free. Completions of the
// operations themselves go to whoever asked; release() tells when one has come.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/disk.hpp"
#include "base/time.hpp"
#include "core/log/segment.hpp"
#include "core/log/storage.hpp"

namespace tailwater::log {

// Which part of this room gets a completion, of which directory; the rest of the token is its own.
enum class Part : std::uint8_t {
  journal = 1,
  start,
  files,
  flush,
  checkpoint,
  growth,
  reader,
  janitor,
  head,
  compaction,
  ring_sync,
  direct,
  recycler,
};

constexpr DiskToken make_token(Part part, std::size_t dir, std::uint64_t detail) {
  return {static_cast<std::uint64_t>(part) << 56 | static_cast<std::uint64_t>(dir) << 48 | detail};
}
constexpr Part part_of(DiskToken token) {
  return static_cast<Part>(token.value >> 56);
}
constexpr std::size_t dir_index_of(DiskToken token) {
  return token.value >> 48 & 0xff;
}
constexpr std::uint64_t detail_of(DiskToken token) {
  return token.value & 0xffff'ffff'ffffULL;
}

class Files {
 public:
  Files(const StorageOptions& options, DiskEffects& outbox) : options_(options), outbox_(outbox) {}

  enum class Use : std::uint8_t { read, write };  // write: a new name is durable after the next sync_all
  struct Terms {
    DirId dir;
    std::size_t dir_index = 0;
    std::string path;
    Use use = Use::read;  // write: created if absent, and locked
    bool direct = false;
    bool durable = false;  // a new name is durable as soon as the file is open
    bool moving = false;   // the file is not under its name yet: what is asked of it waits for arrived()
  };
  // Names a file; nothing is opened yet.
  FileHandle add(Terms terms);
  const Terms& terms(FileHandle file) const { return entries_[file].terms; }

  // Sends `op` with the file filled in, opening it first if need be. If that fails the failure comes back as
  // the op's completion, through failures(). A sync or truncate counts as an operation like any other.
  void submit(FileHandle file, DiskOp op);
  // An operation has completed.
  void release(FileHandle file);
  // Keeps the file usable until release(), like an operation.
  void retain(FileHandle file);
  // A file that was moving has its name now.
  void arrived(FileHandle file);
  // The file is no longer wanted: closed when the last who uses it has released it.
  void forget(FileHandle file);

  void completed(const DiskDone& done, Now now);
  // Opens again what was busy.
  void turn(Now now);
  Instant next_deadline() const;
  // Completions made up for operations whose file could not be opened; the caller routes them.
  std::vector<DiskDone>& failures() { return failures_; }
  std::size_t open_count() const { return open_count_; }

 private:
  enum class State : std::uint8_t { closed, opening, busy, open, closing };
  struct Entry {
    Terms terms;
    State state = State::closed;
    FileId id;
    std::uint32_t users = 0;  // operations sent or waiting
    bool forgotten = false;
    bool in_use = false;  // the entry names a file
    Instant retry_at;
    Instant give_up_at;
    std::vector<DiskOp> waiting;
    FileHandle older = 0;  // among open files without users, by last use
    FileHandle newer = 0;
  };

  void open(FileHandle file);
  void close(FileHandle file);
  // The longest unused first; also for a file that is about to be opened.
  void close_surplus();
  void opened(FileHandle file, const DiskDone& done, Now now);
  void close_unused(const Terms& terms);
  void fail_waiting(FileHandle file, const Error& error);
  void recycle(FileHandle file);
  void link(FileHandle file);
  void unlink(FileHandle file);

  const StorageOptions& options_;
  DiskEffects& outbox_;
  std::vector<Entry> entries_{1};
  std::vector<FileHandle> free_;
  std::vector<FileHandle> busy_;
  std::vector<DiskDone> failures_;
  FileHandle oldest_ = 0;
  FileHandle newest_ = 0;
  std::uint64_t next_id_ = 1;
  std::size_t open_count_ = 0;  // open, or being opened
};

}  // namespace tailwater::log
