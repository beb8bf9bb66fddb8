// Reads, writes and syncs on a few threads, for kernels and containers without io_uring. One lock guards the
// queues; a thread holds it only to take a task or to hand one back.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "shell/disk/data_engine.hpp"
#include "shell/disk/wake.hpp"

namespace tailwater::shell {

class PoolEngine final : public DataEngine {
 public:
  // `wake` outlives the engine. Throws std::system_error if a thread cannot start.
  PoolEngine(unsigned threads, const Wake& wake);
  // Finishes what is queued.
  ~PoolEngine() override;
  PoolEngine(const PoolEngine&) = delete;
  PoolEngine& operator=(const PoolEngine&) = delete;

  void begin(std::unique_ptr<DataTask> task) override;
  void flush() override;
  void reap(std::vector<std::unique_ptr<DataTask>>& ended) override;
  bool idle() const override;
  EngineCounters counters() const override;

 private:
  enum class Serves : std::uint8_t { urgent, all };
  void work(Serves serves);
  void carry_out(DataTask& task, EngineCounters& counters);

  const Wake& wake_;
  // Of the owner's thread.
  std::vector<std::unique_ptr<DataTask>> begun_;
  std::size_t owed_ = 0;  // begun and not reaped

  mutable std::mutex mutex_;
  std::condition_variable wanted_;
  // Guarded by mutex_.
  std::deque<std::unique_ptr<DataTask>> urgent_;
  std::deque<std::unique_ptr<DataTask>> normal_;
  std::vector<std::unique_ptr<DataTask>> ended_;
  EngineCounters counters_;
  std::size_t running_ = 0;
  bool stopping_ = false;

  std::vector<std::thread> threads_;  // last: they use everything above
};

}  // namespace tailwater::shell
