// What carries out reads, writes and syncs: the kernel's ring, or threads. Both give the same guarantees; the
// disk above decides what may run when, the engine only bounds how many do and lets the urgent ones go first.
// Used from one thread at a time; begin() and reap() never block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "shell/disk/data_task.hpp"

namespace tailwater::shell {

struct EngineCounters {
  std::uint64_t ring_calls = 0;    // io_uring_enter, by the shard's thread
  std::uint64_t thread_calls = 0;  // of the data threads
  std::uint64_t submissions = 0;   // parts and flushes handed to the kernel
  std::uint64_t flushes = 0;       // explicit fdatasync, each one a piece of work for a kernel or data thread
  std::uint64_t refused = 0;       // the kernel had no room; tried again later
  std::uint64_t by_thread = 0;     // of the submissions of a mixed engine
  std::uint64_t in_flight_max = 0;
  std::uint64_t queued_max = 0;
};

class DataEngine {
 public:
  virtual ~DataEngine() = default;

  // Takes the task; it starts at the next flush(), or later if the engine is full.
  virtual void begin(std::unique_ptr<DataTask> task) = 0;
  // Starts what may start, with as few system calls as possible.
  virtual void flush() = 0;
  // Appends the tasks that ended.
  virtual void reap(std::vector<std::unique_ptr<DataTask>>& ended) = 0;
  // Readable while something is to be reaped that the engine's wake does not tell of; -1: it tells of all.
  virtual int descriptor() const { return -1; }
  // Something of that is there; to see it costs no system call.
  virtual bool has_ended() const { return false; }
  // True if nothing is queued, in flight or waiting to be reaped.
  virtual bool idle() const = 0;
  virtual EngineCounters counters() const = 0;
};

}  // namespace tailwater::shell
