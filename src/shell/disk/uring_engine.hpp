// Reads, writes and syncs through one io_uring. Its own descriptor is readable while a completion waits, and
// not for longer; an eventfd that counts them would have to be read, or would end a sleep once more for what
// was taken before. (The kernel hands a completion to the thread that submitted, and ends its sleep for that:
// it is mostly seen in the queue before any descriptor tells of it.) DEFER_TASKRUN is not used, because then
// a completion would not wake an epoll loop. Parts of one task follow each other (two direct runs in flight
// for one file block the thread that submits them).
#pragma once

#include <liburing.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "shell/disk/data_engine.hpp"
#include "shell/disk/wake.hpp"

namespace tailwater::shell {

class UringEngine final : public DataEngine {
 public:
  // The ring belongs to the thread that calls flush() first. `wake` outlives the engine, and tells of what
  // ends without the kernel.
  // Throws std::system_error if the kernel gives no ring.
  UringEngine(unsigned in_flight_max, const Wake& wake);
  ~UringEngine() override;
  UringEngine(const UringEngine&) = delete;
  UringEngine& operator=(const UringEngine&) = delete;

  void begin(std::unique_ptr<DataTask> task) override;
  void flush() override;
  void reap(std::vector<std::unique_ptr<DataTask>>& ended) override;
  int descriptor() const override { return ring_.ring_fd; }
  bool has_ended() const override;
  bool idle() const override;
  EngineCounters counters() const override { return counters_; }

 private:
  using Queue = std::deque<std::unique_ptr<DataTask>>;

  void enable();
  void prepare(std::unique_ptr<DataTask> task);
  void prepare_flush(DataTask& task);
  io_uring_sqe* entry(DataTask& task);
  void enter();
  void completed(std::unique_ptr<DataTask> task, std::vector<std::unique_ptr<DataTask>>& ended);

  const Wake& wake_;
  io_uring ring_{};
  unsigned in_flight_max_;
  bool enabled_ = true;
  unsigned in_flight_ = 0;    // completions that the kernel owes us, or will once the entries are submitted
  unsigned unsubmitted_ = 0;  // entries that are in the submission queue only
  // The kernel took a part of a submission: a write and the flush linked to it may have come apart, so
  // flushes that came as links do not count until everything in flight then is done.
  bool links_broken_ = false;
  Queue urgent_;
  Queue normal_;
  std::vector<std::unique_ptr<DataTask>> ready_;  // ended without the kernel's help
  EngineCounters counters_;
};

// Empty if the kernel lets this process use io_uring, else the reason.
std::string uring_unavailable();

}  // namespace tailwater::shell
