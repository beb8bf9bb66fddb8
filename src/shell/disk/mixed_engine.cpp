#include "shell/disk/mixed_engine.hpp"

#include <algorithm>

namespace tailwater::shell {
namespace {

bool is_journal_write(const DataTask& task) {
  return task.op().kind == DiskOpKind::write && task.op().urgent && task.op().durable;
}

}  // namespace

void MixedEngine::begin(std::unique_ptr<DataTask> task) {
  if (!is_journal_write(*task)) return ring_.begin(std::move(task));
  lonely_in_a_row_ = journal_writes_ == 0 ? std::min(lonely_in_a_row_ + 1, kHabit) : 0;
  ++journal_writes_;
  if (lonely_in_a_row_ == kHabit) {
    thread_.begin(std::move(task));
  } else {
    ring_.begin(std::move(task));
  }
}

void MixedEngine::flush() {
  thread_.flush();
  ring_.flush();
}

void MixedEngine::reap(std::vector<std::unique_ptr<DataTask>>& ended) {
  const std::size_t before = ended.size();
  if (!thread_.idle()) thread_.reap(ended);
  ring_.reap(ended);
  for (std::size_t i = before; i < ended.size(); ++i) journal_writes_ -= is_journal_write(*ended[i]) ? 1 : 0;
}

EngineCounters MixedEngine::counters() const {
  const EngineCounters ring = ring_.counters();
  const EngineCounters thread = thread_.counters();
  EngineCounters both = ring;
  both.thread_calls = thread.thread_calls;
  both.submissions += thread.submissions;
  both.flushes += thread.flushes;
  both.in_flight_max += thread.in_flight_max;
  both.queued_max = std::max(ring.queued_max, thread.queued_max);
  both.by_thread = thread.submissions;
  return both;
}

}  // namespace tailwater::shell
