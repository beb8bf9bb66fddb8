#include "shell/disk/pool_engine.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shell/disk/threads.hpp"

namespace tailwater::shell {
namespace {

std::int64_t result_of(ssize_t answer) {
  return answer < 0 ? -errno : answer;
}

std::int64_t transfer(DataTask& task, const DataTask::Part& part) {
  std::vector<iovec>& memory = task.iovecs();
  const int count = static_cast<int>(memory.size());
  const auto at = static_cast<off_t>(part.at);
  if (task.op().kind == DiskOpKind::read)
    return result_of(::preadv(task.descriptor(), memory.data(), count, at));
  const int flags = task.durable_by() == DurableBy::dsync ? RWF_DSYNC : 0;
  return result_of(::pwritev2(task.descriptor(), memory.data(), count, at, flags));
}

}  // namespace

PoolEngine::PoolEngine(unsigned threads, const Wake& wake) : wake_(wake) {
  // With two or more, the first serves urgent tasks alone: long syncs of others must not delay the
  // acknowledged path.
  const unsigned count = std::max(threads, 1U);
  threads_.reserve(count);
  for (unsigned i = 0; i < count; ++i) {
    const Serves serves = i == 0 && count > 1 ? Serves::urgent : Serves::all;
    threads_.push_back(start_thread("disk-data-" + std::to_string(i), [this, serves] { work(serves); }));
  }
}

PoolEngine::~PoolEngine() {
  flush();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void PoolEngine::begin(std::unique_ptr<DataTask> task) {
  ++owed_;
  begun_.push_back(std::move(task));
}

void PoolEngine::flush() {
  if (begun_.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    for (auto& task : begun_) (task->op().urgent ? urgent_ : normal_).push_back(std::move(task));
    counters_.queued_max = std::max<std::uint64_t>(counters_.queued_max, urgent_.size() + normal_.size());
  }
  begun_.clear();
  wanted_.notify_all();  // one would not do: it may be a thread that does not serve this kind
}

void PoolEngine::reap(std::vector<std::unique_ptr<DataTask>>& ended) {
  const std::size_t before = ended.size();
  {
    const std::lock_guard lock(mutex_);
    for (auto& task : ended_) ended.push_back(std::move(task));
    ended_.clear();
  }
  owed_ -= ended.size() - before;
}

bool PoolEngine::idle() const {
  return owed_ == 0;
}

EngineCounters PoolEngine::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void PoolEngine::carry_out(DataTask& task, EngineCounters& counters) {
  if (task.nothing_to_do()) return;
  DataTask::Step step = task.op().kind == DiskOpKind::sync ? DataTask::Step::flush : DataTask::Step::again;
  while (step != DataTask::Step::done) {
    ++counters.thread_calls;
    ++counters.submissions;
    if (step == DataTask::Step::again) {
      step = task.advance(transfer(task, task.next_part()));
    } else {
      ++counters.flushes;
      step = task.flushed(result_of(::fdatasync(task.descriptor())));
    }
  }
}

void PoolEngine::work(Serves serves) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto choose = [&]() -> std::deque<std::unique_ptr<DataTask>>* {
      if (!urgent_.empty()) return &urgent_;
      return serves == Serves::all && !normal_.empty() ? &normal_ : nullptr;
    };
    wanted_.wait(lock, [&] { return stopping_ || choose() != nullptr; });
    auto* chosen = choose();
    if (chosen == nullptr) return;  // stopping, and nothing left
    auto& queue = *chosen;
    std::unique_ptr<DataTask> task = std::move(queue.front());
    queue.pop_front();
    ++running_;
    counters_.in_flight_max = std::max<std::uint64_t>(counters_.in_flight_max, running_);
    lock.unlock();

    EngineCounters counters;
    carry_out(*task, counters);

    lock.lock();
    --running_;
    counters_.thread_calls += counters.thread_calls;
    counters_.submissions += counters.submissions;
    counters_.flushes += counters.flushes;
    ended_.push_back(std::move(task));
    if (ended_.size() > 1) continue;  // seen with the first
    ++counters_.thread_calls;
    wake_.signal();
  }
}

}  // namespace tailwater::shell
