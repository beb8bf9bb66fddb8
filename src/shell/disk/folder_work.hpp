// The blocking half of the disk: opening, closing, allocating and everything that changes folders. Runs on
// the workers' threads; knows nothing of queues. Jobs may be run as a batch, which then shares the syncs of
// folders. GUARANTEES: what base/disk.hpp promises for each kind; a job that failed to become durable says
// so.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/disk.hpp"
#include "base/time.hpp"
#include "shell/disk/descriptor.hpp"
#include "shell/disk/disk_mode.hpp"

namespace tailwater::shell {

// What is loaded, and so what is replaced, is in memory as a whole.
inline constexpr std::uint64_t kLoadBytesMax = std::uint64_t{1} << 30;

struct FolderJob {
  std::uint64_t number = 0;
  DiskOpKind kind{};
  DiskRoot root;
  std::string path;
  std::string path2;
  std::uint64_t at = 0;
  std::uint64_t size = 0;
  int descriptor = -1;     // close (which owns it), truncate, preallocate, zero
  std::vector<int> files;  // sync_all: open ones that are synced first
  Buffer content;
  bool create = false;
  bool exclusive = false;
  bool direct = false;
  bool durable = false;
  bool extend = false;
  bool urgent = false;
  bool still_open = false;  // remove: a file below the path is open, so its bytes must stay readable
  std::string temporary;    // replace: the name of its temporary file begins with this
  std::int64_t first_try_ns = 0;
  std::uint64_t bytes_max = kLoadBytesMax;  // load, replace
};

struct FolderResult {
  std::uint64_t number = 0;
  Result<std::uint64_t> outcome{0};
  Buffer content;
  std::vector<std::string> names;
  Descriptor opened;
  bool direct = false;
  // Another process holds the lock, or descriptors ran out, and the same job may be done once more: try a little
  // later.
  bool again = false;
};

// Appends one result per job, in order. Moves out of the jobs what it needs, unless the result says `again`.
void run_folder_jobs(std::vector<FolderJob>& jobs, std::vector<FolderResult>& results);

// True for jobs that are quick but for their syncs, so that a batch of them pays off.
bool joins_batch(const FolderJob& job);

// "a/b" for a path that stays below its log directory and is not empty.
bool is_inside(const std::string& path);

}  // namespace tailwater::shell
