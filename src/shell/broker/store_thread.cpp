#include "shell/broker/store_thread.hpp"

#include <utility>

#include "shell/disk/threads.hpp"

namespace tailwater::shell {

StoreThread::StoreThread(cluster::MetadataStore& store, Log& log, Report report)
    : store_(store), log_(log), report_(std::move(report)) {
  thread_ = start_thread("metadata", [this] { run(); });
}

StoreThread::~StoreThread() {
  stop();
}

void StoreThread::put(std::vector<cluster::StoreAppend>&& appends,
                      std::vector<cluster::StoreSnapshot>&& snapshots) {
  {
    const std::lock_guard lock(mutex_);
    for (cluster::StoreAppend& append : appends) jobs_.emplace_back(std::move(append));
    for (cluster::StoreSnapshot& snapshot : snapshots) jobs_.emplace_back(std::move(snapshot));
  }
  changed_.notify_one();
}

void StoreThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void StoreThread::run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    carry_out(job);
  }
}

void StoreThread::carry_out(Job& job) {
  if (auto* append = std::get_if<cluster::StoreAppend>(&job)) {
    report_(append->token, store_.append(append->expected_head, append->batch));
    return;
  }
  const auto& snapshot = std::get<cluster::StoreSnapshot>(job);
  if (auto put = store_.put_snapshot(snapshot.version, snapshot.chunks); !put) {
    log_.warning("metadata", "a snapshot of the metadata was not stored; the changelog stays longer",
                 {{"reason", put.error().message}});
  }
}

}  // namespace tailwater::shell
