// The ring for everything but lonely journal writes: durable, urgent, and with none like them in flight.
// Those go through a thread of their own. The kernel completes a ring's O_DSYNC write in a worker that is
// bound to the CPU of the disk's interrupt; where other programs keep that CPU busy, a write at depth one
// waits milliseconds for it, while a thread that flushes by itself runs wherever there is room. The price is
// a switch of threads per lonely write; as soon as writes overlap, the ring has them again. Measured on two
// busy CPUs, 4 KiB at depth one: median 4 ms through the ring, 90 us through the thread (45 instead of 25 us
// of this process's CPU time where the CPUs are free); at depth two no difference.
#pragma once

#include <memory>
#include <vector>

#include "shell/disk/pool_engine.hpp"
#include "shell/disk/uring_engine.hpp"

namespace tailwater::shell {

class MixedEngine final : public DataEngine {
 public:
  // As UringEngine.
  MixedEngine(unsigned in_flight_max, const Wake& wake) : ring_(in_flight_max, wake), thread_(1, wake) {}

  void begin(std::unique_ptr<DataTask> task) override;
  void flush() override;
  void reap(std::vector<std::unique_ptr<DataTask>>& ended) override;
  int descriptor() const override { return ring_.descriptor(); }
  bool has_ended() const override { return ring_.has_ended(); }
  bool idle() const override { return ring_.idle() && thread_.idle(); }
  EngineCounters counters() const override;

 private:
  // So many lonely writes in a row make a habit; fewer are pauses of a busy stream.
  static constexpr unsigned kHabit = 8;

  UringEngine ring_;
  PoolEngine thread_;
  unsigned journal_writes_ = 0;  // in flight, wherever
  unsigned lonely_in_a_row_ = 0;
};

}  // namespace tailwater::shell
