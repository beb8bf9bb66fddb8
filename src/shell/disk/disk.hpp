// The real disk behind base/disk.hpp, one per shard: takes a turn's wishes in a batch, gives completions back
// when it is polled, and signals an eventfd when there are any. The calling thread never waits for a disk.
//
// Order. What a machine submits without waiting runs as if in this order:
//   - all operations of a file wait for its `open`; if that fails they fail with it;
//   - `close`, `truncate` and `zero` wait for all before them of that file, and all after waits for them;
//   - `sync` covers every write submitted before it, finished or not, and delays nothing after it;
//   - `sync_all` covers what completed before it was submitted, and operations on paths submitted before it;
//   - reads, writes and preallocations of a file are not ordered among themselves;
//   - operations on paths (open included) that share a path's first component run in the order of submission;
//   - urgent reads, writes and syncs start before others that have not started.
// (base/disk.hpp lets machines rely on less.) Every operation ends in exactly one completion. After a write
// or sync of a file failed, so do all later ones of it; after a sync_all failed, all later ones of the
// directory.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/disk.hpp"
#include "base/time.hpp"
#include "shell/disk/data_engine.hpp"
#include "shell/disk/disk_mode.hpp"

namespace tailwater::shell {

enum class DiskEngineKind : std::uint8_t { uring, thread_pool, mixed };

constexpr std::string_view to_string(DiskEngineKind kind) {
  switch (kind) {
    case DiskEngineKind::uring:
      return "io_uring";
    case DiskEngineKind::thread_pool:
      return "threads";
    case DiskEngineKind::mixed:
      return "io_uring and a thread";
  }
  return "unknown";
}

struct DiskOptions {
  std::vector<DiskRoot> roots;
  std::string name = "0";  // of the shard: temporary files of two disks never meet
  DiskEngineKind engine = DiskEngineKind::mixed;
  unsigned in_flight_max = 128;  // of the ring: reads, writes and syncs given to the kernel
  unsigned data_threads = 5;     // without a ring; one of them serves urgent operations alone
  unsigned folder_threads = 4;
  std::size_t descriptors_max = 4096;               // files that are not exclusive give theirs up above this
  Duration lock_patience = Duration::from_ms(500);  // how long a dead process's writes are waited for
};

// Bucket i counts durations in [2^i, 2^(i+1)) microseconds; the first also those below.
struct DiskLatencies {
  std::array<std::uint64_t, 28> buckets{};
  std::uint64_t count = 0;
  std::uint64_t sum_us = 0;
  void add_ns(std::int64_t ns);
};

struct DiskCounters {
  std::uint64_t submitted = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t short_parts = 0;  // transfers that the kernel ended early
  std::uint64_t descriptors = 0;  // open now
  std::uint64_t rested = 0;       // descriptors given up because too many were open
  std::uint64_t lock_waits = 0;
  EngineCounters engine;
  DiskLatencies urgent_writes;  // from submission to completion
  DiskLatencies syncs;
};

class Disk {
 public:
  // Throws std::system_error if the system gives no eventfd, ring, thread or descriptor.
  explicit Disk(DiskOptions options);
  // Waits for everything in flight, because the kernel writes into memory that the machines own.
  // REQUIRES: the thread that polled, unless idle().
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  void submit(std::vector<DiskOp>&& ops);
  // Appends what has completed, and starts what waited for it.
  void poll(std::vector<DiskDone>& done);

  // For an event loop. Becomes readable when poll() has something to do: watch its edges, and never read it.
  int wake_fd() const;
  // Readable as long as the kernel's ring has something for poll(), which the other does not tell; -1: there
  // is no ring.
  int ring_fd() const;
  // Whether it has, for those who are awake: no system call.
  bool ring_has_ended() const;
  // For everybody else: sleeps until poll() has something to do, or for so long.
  void wait(int timeout_ms) const;

  bool idle() const;
  // Blocks until everything submitted has completed. For stops and tests.
  void drain(std::vector<DiskDone>& done);

  DiskCounters counters() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace tailwater::shell
