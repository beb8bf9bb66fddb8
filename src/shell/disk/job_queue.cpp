#include "shell/disk/job_queue.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace tailwater::shell {

namespace {

constexpr std::size_t kBatch = 64;

}  // namespace

// A file that was removed while it was open gives its blocks back when it is closed.
bool JobQueue::apart(const FolderJob& job) const {
  return threads_ > 1 && (job.kind == DiskOpKind::remove || job.kind == DiskOpKind::close);
}

void JobQueue::push(FolderJob job) {
  if (job.urgent) return push_first(std::move(job));
  lane(job).push_back(std::move(job));
}

void JobQueue::push_first(FolderJob job) {
  lane(job).push_front(std::move(job));
}

std::deque<FolderJob>& JobQueue::lane(const FolderJob& job) {
  return apart(job) ? giving_back_ : jobs_;
}

void JobQueue::take(std::vector<FolderJob>& jobs) {
  jobs.clear();
  // The first of them goes before all others: it is never put off for good.
  const bool gives = !giving_back_.empty() && (giving_ == 0 || (jobs_.empty() && giving_ + 1 < threads_));
  if (gives) {
    ++giving_;
    jobs.push_back(std::move(giving_back_.front()));
    giving_back_.pop_front();
    return;
  }
  // The other threads get their share of a long queue.
  const std::size_t share = std::clamp(jobs_.size() / threads_, std::size_t{1}, kBatch);
  while (!jobs_.empty() && jobs.size() < share) {
    const bool joins = joins_batch(jobs_.front());
    if (!joins && !jobs.empty()) break;
    jobs.push_back(std::move(jobs_.front()));
    jobs_.pop_front();
    if (!joins) break;
  }
}

void JobQueue::ended(const std::vector<FolderJob>& jobs) {
  if (jobs.empty() || !apart(jobs.front())) return;
  CHECK(giving_ > 0);
  --giving_;
}

}  // namespace tailwater::shell
