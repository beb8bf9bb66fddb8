// Which of the waiting jobs a thread of Workers takes next. What gives blocks back to the file system is slow where the disk
// discards them, a second and more when retention has removed many files at once, and nobody waits for it: it may not
// take the last thread, so that what acknowledged records wait for goes on beside it. Not thread-safe.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "shell/disk/folder_work.hpp"

namespace tailwater::shell {

class JobQueue {
 public:
  explicit JobQueue(std::size_t threads) : threads_(threads) {}

  void push(FolderJob job);
  // Also of one that was taken, and ended, before: it is tried again.
  void push_first(FolderJob job);
  // One job alone, or a run of quick ones; none if there is nothing that may begin now. Each call that gives some is followed by
  // ended() with the same.
  void take(std::vector<FolderJob>& jobs);
  void ended(const std::vector<FolderJob>& jobs);

 private:
  bool apart(const FolderJob& job) const;
  std::deque<FolderJob>& lane(const FolderJob& job);

  const std::size_t threads_;
  std::deque<FolderJob> jobs_;
  std::deque<FolderJob> giving_back_;
  std::size_t giving_ = 0;  // threads that do one of these
};

}  // namespace tailwater::shell
