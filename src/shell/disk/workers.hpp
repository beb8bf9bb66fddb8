// The threads that do the disk's blocking work on folders and whole files. Jobs that are handed in may all
// run at once: their order is the business of PathLanes and FileTable. Quick jobs are taken in batches, which
// share their syncs. A job that finds a file locked is tried again until its patience ends; no thread waits
// meanwhile. post() and collect() take a lock for moments and never block on the disk. One lock guards
// everything shared.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/time.hpp"
#include "shell/disk/folder_work.hpp"
#include "shell/disk/job_queue.hpp"
#include "shell/disk/wake.hpp"

namespace tailwater::shell {

class Workers {
 public:
  // `wake` outlives the workers. Throws std::system_error if a thread cannot start.
  Workers(unsigned threads, Duration patience, const Wake& wake);
  // Finishes what is queued; locks are not waited for any longer.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // The jobs are taken at the next flush().
  void post(FolderJob job);
  void flush();
  void collect(std::vector<FolderResult>& results);
  // True if nothing is posted, running or waiting to be collected.
  bool idle() const { return owed_ == 0; }
  std::uint64_t waits() const;

 private:
  struct Delayed {
    std::int64_t at_ns = 0;
    FolderJob job;
  };

  void work();
  bool take(std::vector<FolderJob>& jobs);
  void give_back(std::vector<FolderJob>& jobs, std::vector<FolderResult>& results);

  const Wake& wake_;
  const Duration patience_;
  // Of the owner's thread.
  std::vector<FolderJob> posted_;
  std::size_t owed_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wanted_;
  // Guarded by mutex_.
  JobQueue queue_;
  std::deque<Delayed> delayed_;  // in the order of their times
  std::vector<FolderResult> ended_;
  std::uint64_t waits_ = 0;
  bool stopping_ = false;

  std::vector<std::thread> threads_;  // last: they use everything above
};

}  // namespace tailwater::shell
