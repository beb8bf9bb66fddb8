// What is behind Disk: where each operation is on its way, in (disk.cpp) and out (disk_way_out.cpp).
#pragma once

#include <time.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "shell/disk/disk.hpp"
#include "shell/disk/file_system_sync.hpp"
#include "shell/disk/file_table.hpp"
#include "shell/disk/path_lanes.hpp"
#include "shell/disk/wake.hpp"
#include "shell/disk/workers.hpp"

namespace tailwater::shell {

inline std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// It ends with an fdatasync: also of what others wrote into the page cache.
inline bool is_flush(const DataTask& task) {
  return task.op().kind == DiskOpKind::sync || task.durable_by() == DurableBy::fdatasync;
}

// Nothing else is done to the file at the same time.
inline bool stands_alone(DiskOpKind kind) {
  return kind == DiskOpKind::truncate || kind == DiskOpKind::zero;
}

// How an operation finds its way: path operations go through the lanes to the workers; operations of a file
// pass their slot first, then go to the engine (read, write, sync) or the workers. An `open` passes both, and
// is entered into the lanes when it is submitted, so that the order on paths is that of submission.
class Disk::State {
 public:
  explicit State(DiskOptions options);

  void submit(std::vector<DiskOp>&& ops);
  void poll(std::vector<DiskDone>& done);
  bool idle() const {
    return counters_.submitted == counters_.completed && done_.empty() && engine_->idle() && workers_.idle();
  }
  std::size_t descriptors() const { return files_.descriptors(); }
  void wait(int timeout_ms) const;

  Wake wake_;
  DiskOptions options_;
  std::vector<std::unique_ptr<FileSystemSync>> file_systems_;  // of the roots
  DiskCounters counters_;
  std::unique_ptr<DataEngine> engine_;
  Workers workers_;

 private:
  // A job that the workers have, or will when the lanes let it go.
  struct Running {
    DiskOp op;
    bool lane_free = false;  // the lanes let it go
    bool file_free = true;   // its file's slot lets it go (only opens wait for that)
    bool internal = false;   // no machine asked for it: reopening or closing a descriptor
    bool in_lanes = false;
    std::vector<FileId> synced;  // by sync_all, through their own descriptors
  };

  void route(DiskOp op);
  void route_path(std::uint64_t number, DiskOp op);
  void route_open(std::uint64_t number, DiskOp op);
  void route_file(std::uint64_t number, DiskOp op);

  void advance(FileSlot& slot);
  bool may_start(FileSlot& slot, const DiskOp& op);
  void start(FileSlot& slot, std::uint64_t number, DiskOp op);
  void start_data(FileSlot& slot, std::uint64_t number, DiskOp op);
  void start_reopen(FileSlot& slot);
  void begin_open(FileSlot& slot, std::uint64_t number);
  void after_gone(FileId file, std::deque<std::uint64_t> waiting, const Error& why);
  void make_room(std::size_t descriptors_wanted);

  void dispatch_if_free(std::uint64_t number);
  void dispatch(std::uint64_t number, Running& running);
  void post_close(Descriptor descriptor, DirId dir, const std::string& path);

  void begin(FileSlot& slot, std::unique_ptr<DataTask> task);
  void data_ended(std::unique_ptr<DataTask> task);
  void settle(FileSlot& slot);
  void answer(FileSlot& slot, std::unique_ptr<DataTask> task);
  void work_ended(FolderResult result);
  // A sync_all that has ended, and its files in which flushes that overlapped it have not.
  struct SyncOfAll {
    DiskOp op;
    FolderResult result;
    std::size_t unsettled = 0;
  };
  void all_ended(Running running, FolderResult result);
  void settle_all(FileSlot& slot, std::uint64_t number);
  void all_settled(SyncOfAll sync);
  void open_ended(const Running& running, FolderResult& result);
  void reopen_ended(const Running& running, FolderResult& result);
  void path_ended(const Running& running);
  void leave_lanes(std::uint64_t number);

  void complete(const DiskOp& op, Result<std::uint64_t> outcome);
  void complete(const DiskOp& op, FolderResult& result);
  const DiskRoot* root_of(DirId dir) const;
  DurableBy durable_by(const DiskOp& op, const FileSlot& slot) const;
  Error error_of(const DataTask& task, const FileSlot& slot) const;

  std::uint64_t next_number_ = 1;
  FileTable files_;
  PathLanes lanes_;
  std::unordered_map<std::uint64_t, DiskOp> parked_;  // in the `waiting` list of a slot
  std::unordered_map<std::uint64_t, Running> running_;
  std::unordered_map<DirId, std::string> sync_failures_;  // of sync_all: first error of a directory
  std::vector<DiskDone> done_;
  std::vector<std::unique_ptr<DataTask>> ended_tasks_;
  std::vector<FolderResult> ended_jobs_;
  std::vector<std::unique_ptr<DataTask>> waiting_syncs_;
  std::vector<std::unique_ptr<DataTask>> unsettled_;  // flushes that have ended, see FlushOrder
  std::unordered_map<std::uint64_t, SyncOfAll> unsettled_all_;
  std::vector<std::unique_ptr<DataTask>> spare_tasks_;
};

}  // namespace tailwater::shell
