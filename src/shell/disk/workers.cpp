#include "shell/disk/workers.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>

#include "shell/disk/threads.hpp"

namespace tailwater::shell {
namespace {

constexpr std::int64_t kTryAgainNs = 10'000'000;

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Workers::Workers(unsigned threads, Duration patience, const Wake& wake)
    : wake_(wake), patience_(patience), queue_(std::max(threads, 1U)) {
  for (unsigned i = 0; i < std::max(threads, 1U); ++i) {
    threads_.push_back(start_thread("disk-files-" + std::to_string(i), [this] { work(); }));
  }
}

Workers::~Workers() {
  flush();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Workers::post(FolderJob job) {
  ++owed_;
  posted_.push_back(std::move(job));
}

void Workers::flush() {
  if (posted_.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    for (FolderJob& job : posted_) queue_.push(std::move(job));
  }
  posted_.clear();
  wanted_.notify_all();
}

void Workers::collect(std::vector<FolderResult>& results) {
  const std::size_t before = results.size();
  {
    const std::lock_guard lock(mutex_);
    for (FolderResult& result : ended_) results.push_back(std::move(result));
    ended_.clear();
  }
  owed_ -= results.size() - before;
}

std::uint64_t Workers::waits() const {
  const std::lock_guard lock(mutex_);
  return waits_;
}

// REQUIRES: mutex_ is held. False if there is nothing to do now.
bool Workers::take(std::vector<FolderJob>& jobs) {
  while (!delayed_.empty() && (stopping_ || delayed_.front().at_ns <= now_ns())) {
    queue_.push_first(std::move(delayed_.front().job));
    delayed_.pop_front();
  }
  queue_.take(jobs);
  return !jobs.empty();
}

// REQUIRES: mutex_ is held.
void Workers::give_back(std::vector<FolderJob>& jobs, std::vector<FolderResult>& results) {
  const std::int64_t now = now_ns();
  const bool was_empty = ended_.empty();
  for (std::size_t i = 0; i < results.size(); ++i) {
    FolderJob& job = jobs[i];
    if (job.first_try_ns == 0) job.first_try_ns = now;
    const bool patient = now - job.first_try_ns < patience_.nanoseconds && !stopping_;
    if (results[i].again && patient) {
      ++waits_;
      delayed_.push_back({now + kTryAgainNs, std::move(job)});
    } else {
      ended_.push_back(std::move(results[i]));
    }
  }
  if (was_empty && !ended_.empty()) wake_.signal();
}

void Workers::work() {
  std::vector<FolderJob> jobs;
  std::vector<FolderResult> results;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (take(jobs)) {
      lock.unlock();
      results.clear();
      run_folder_jobs(jobs, results);
      lock.lock();
      queue_.ended(jobs);
      give_back(jobs, results);
      continue;
    }
    if (stopping_) return;
    if (delayed_.empty()) {
      wanted_.wait(lock);
    } else {
      const std::int64_t left = std::max<std::int64_t>(delayed_.front().at_ns - now_ns(), 0);
      wanted_.wait_for(lock, std::chrono::nanoseconds(left));
    }
  }
}

}  // namespace tailwater::shell
