#include "shell/disk/disk.hpp"

#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <unordered_map>

#include "base/check.hpp"
#include "shell/disk/disk_error.hpp"
#include "shell/disk/file_system_sync.hpp"
#include "shell/disk/file_table.hpp"
#include "shell/disk/mixed_engine.hpp"
#include "shell/disk/path_lanes.hpp"
#include "shell/disk/pool_engine.hpp"
#include "shell/disk/uring_engine.hpp"
#include "shell/disk/wake.hpp"
#include "shell/disk/workers.hpp"

namespace tailwater::shell {
namespace {

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

std::unique_ptr<DataEngine> make_engine(const DiskOptions& options, const Wake& wake) {
  switch (options.engine) {
    case DiskEngineKind::uring:
      return std::make_unique<UringEngine>(options.in_flight_max, wake);
    case DiskEngineKind::mixed:
      return std::make_unique<MixedEngine>(options.in_flight_max, wake);
    case DiskEngineKind::thread_pool:
      break;
  }
  return std::make_unique<PoolEngine>(options.data_threads, wake);
}

// Nothing else is done to the file at the same time.
bool stands_alone(DiskOpKind kind) {
  return kind == DiskOpKind::truncate || kind == DiskOpKind::zero;
}

bool is_path_op(DiskOpKind kind) {
  switch (kind) {
    case DiskOpKind::create_folder:
    case DiskOpKind::rename:
    case DiskOpKind::remove:
    case DiskOpKind::replace:
    case DiskOpKind::load:
    case DiskOpKind::list:
    case DiskOpKind::sync_all:
      return true;
    default:
      return false;
  }
}

// It ends with an fdatasync: also of what others wrote into the page cache.
bool is_flush(const DataTask& task) {
  return task.op().kind == DiskOpKind::sync || task.durable_by() == DurableBy::fdatasync;
}

// A sync that found no descriptor has not failed: it was not begun, or not ended.
bool is_lasting(const Result<std::uint64_t>& outcome) {
  return !outcome && outcome.error().code != Errc::out_of_space;
}

// Null if it is not among them.
std::unique_ptr<DataTask> take_task(std::vector<std::unique_ptr<DataTask>>& tasks, std::uint64_t number) {
  const auto found = std::ranges::find(tasks, number, [](const auto& task) { return task->number; });
  if (found == tasks.end()) return nullptr;
  std::unique_ptr<DataTask> task = std::move(*found);
  tasks.erase(found);
  return task;
}

}  // namespace

void DiskLatencies::add_ns(std::int64_t ns) {
  const std::uint64_t us = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)) / 1000;
  const auto bucket = static_cast<std::size_t>(std::bit_width(us | 1) - 1);
  ++buckets[std::min(bucket, buckets.size() - 1)];
  ++count;
  sum_us += us;
}

// How an operation finds its way: path operations go through the lanes to the workers; operations of a file
// pass their slot first, then go to the engine (read, write, sync) or the workers. An `open` passes both, and
// is entered into the lanes when it is submitted, so that the order on paths is that of submission.
class Disk::State {
 public:
  explicit State(DiskOptions options)
      : options_(std::move(options)),
        engine_(make_engine(options_, wake_)),
        workers_(options_.folder_threads, options_.lock_patience, wake_) {
    for (DiskRoot& root : options_.roots) {
      Descriptor folder(::openat(root.folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!folder) throw std::system_error(errno, std::generic_category(), root.path);
      root.file_system =
          file_systems_.emplace_back(std::make_unique<FileSystemSync>(std::move(folder))).get();
    }
  }

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

// --- the way in

void Disk::State::submit(std::vector<DiskOp>&& ops) {
  const std::size_t before = done_.size();
  for (DiskOp& op : ops) {
    ++counters_.submitted;
    route(std::move(op));
  }
  ops.clear();
  engine_->flush();
  workers_.flush();
  if (done_.size() > before) wake_.signal();
}

const DiskRoot* Disk::State::root_of(DirId dir) const {
  const auto found = std::ranges::find(options_.roots, dir, &DiskRoot::dir);
  return found == options_.roots.end() ? nullptr : &*found;
}

void Disk::State::route(DiskOp op) {
  const std::uint64_t number = next_number_++;
  const bool names_path = is_path_op(op.kind) || op.kind == DiskOpKind::open;
  if (!names_path) return route_file(number, std::move(op));

  // Paths are made of names that users chose. The machines refuse what would leave the directory; this is the
  // lock behind the lock.
  const bool is_root = op.kind == DiskOpKind::sync_all || (op.kind == DiskOpKind::list && op.path.empty());
  const bool good = (is_root || is_inside(op.path)) && (op.kind != DiskOpKind::rename || is_inside(op.path2));
  if (!good || root_of(op.dir) == nullptr) {
    complete(op, fail(Errc::storage, "cannot " + std::string(to_string(op.kind)) + " '" + op.path +
                                         "': not a path inside a log directory"));
    return;
  }
  if (op.kind == DiskOpKind::open) return route_open(number, std::move(op));
  route_path(number, std::move(op));
}

void Disk::State::route_path(std::uint64_t number, DiskOp op) {
  std::vector<std::string> keys;
  auto after = PathLanes::After::same_keys;
  if (op.kind == DiskOpKind::sync_all || op.path.empty()) {
    after = PathLanes::After::everything;
  } else {
    keys.push_back(path_key(op.dir, op.path));
  }
  if (op.kind == DiskOpKind::rename) {
    std::string key = path_key(op.dir, op.path2);
    if (key != keys.front()) keys.push_back(std::move(key));
  }
  const bool lane_free = lanes_.add(number, std::move(keys), after);
  running_.emplace(number, Running{.op = std::move(op), .lane_free = lane_free, .in_lanes = true});
  dispatch_if_free(number);
}

void Disk::State::route_open(std::uint64_t number, DiskOp op) {
  const bool lane_free = lanes_.add(number, {path_key(op.dir, op.path)});
  FileSlot* slot = files_.find(op.file);
  const DiskOp& kept =
      running_
          .emplace(number,
                   Running{.op = std::move(op), .lane_free = lane_free, .file_free = false, .in_lanes = true})
          .first->second.op;
  if (slot != nullptr) {
    slot->waiting.push_back(number);  // behind the `close` of the file that had this id before
    advance(*slot);
    return;
  }
  begin_open(files_.add(kept.file, kept.dir, kept.path), number);
}

void Disk::State::route_file(std::uint64_t number, DiskOp op) {
  FileSlot* slot = files_.find(op.file);
  if (slot == nullptr) {
    if (op.kind == DiskOpKind::close) return complete(op, 0);
    const std::string id = std::to_string(op.file.value);
    return complete(
        op, fail(Errc::storage, "cannot " + std::string(to_string(op.kind)) + " file " + id + ": not open"));
  }
  if (slot->waiting.empty() && may_start(*slot, op)) return start(*slot, number, std::move(op));
  slot->waiting.push_back(number);
  parked_.emplace(number, std::move(op));
}

// --- files

void Disk::State::begin_open(FileSlot& slot, std::uint64_t number) {
  Running& running = running_.at(number);
  slot.exclusive = running.op.exclusive;
  slot.wants_direct = running.op.direct;
  slot.state = FileSlot::State::opening;
  running.file_free = true;
  make_room(1);
  dispatch_if_free(number);
}

// Starts what waits, oldest first, up to the first that must wait on. The slot may be gone afterwards.
void Disk::State::advance(FileSlot& slot) {
  while (!slot.waiting.empty()) {
    const std::uint64_t number = slot.waiting.front();
    const auto parked = parked_.find(number);
    if (parked == parked_.end()) {
      // Only a `close` before it makes way for an `open`: two open files cannot have one id.
      CHECK(slot.state == FileSlot::State::closing || slot.state == FileSlot::State::opening);
      return;
    }
    if (!may_start(slot, parked->second)) return;
    DiskOp op = std::move(parked->second);
    parked_.erase(parked);
    slot.waiting.pop_front();
    const bool is_end = op.kind == DiskOpKind::close;
    start(slot, number, std::move(op));
    if (is_end) return;
  }
}

bool Disk::State::may_start(FileSlot& slot, const DiskOp& op) {
  switch (slot.state) {
    case FileSlot::State::opening:
    case FileSlot::State::reopening:
    case FileSlot::State::closing:
      return false;
    case FileSlot::State::resting:
      if (op.kind == DiskOpKind::close) return true;
      start_reopen(slot);
      return false;
    case FileSlot::State::open:
      break;
  }
  if (slot.cutting) return false;
  if (op.kind == DiskOpKind::close || stands_alone(op.kind)) return slot.active == 0;
  return true;
}

void Disk::State::start(FileSlot& slot, std::uint64_t number, DiskOp op) {
  files_.touch(slot);
  if (op.kind == DiskOpKind::read || op.kind == DiskOpKind::write || op.kind == DiskOpKind::sync) {
    return start_data(slot, number, std::move(op));
  }
  ++slot.active;
  Running running{.op = std::move(op), .lane_free = true};
  if (stands_alone(running.op.kind)) slot.cutting = true;
  if (running.op.kind == DiskOpKind::close) slot.state = FileSlot::State::closing;
  running_.emplace(number, std::move(running));
  dispatch_if_free(number);
}

void Disk::State::start_data(FileSlot& slot, std::uint64_t number, DiskOp op) {
  if (op.kind != DiskOpKind::read && !slot.failure.empty()) {
    return complete(op, fail(Errc::storage, slot.failure));
  }
  ++slot.active;
  std::unique_ptr<DataTask> task;
  if (spare_tasks_.empty()) {
    task = std::make_unique<DataTask>();
  } else {
    task = std::move(spare_tasks_.back());
    spare_tasks_.pop_back();
  }
  const DurableBy by = durable_by(op, slot);
  if (op.kind == DiskOpKind::write) {
    slot.writes.push_back(number);
    if (by == DurableBy::nothing) slot.last_unsynced_write = number;
  }
  const bool must_wait = op.kind == DiskOpKind::sync && slot.has_write_before(number);
  const bool timed = op.kind == DiskOpKind::sync || (op.kind == DiskOpKind::write && op.urgent);
  task->begin(std::move(op), slot.descriptor.get(), slot.direct, by);
  task->number = number;
  task->begun_ns = timed ? now_ns() : 0;
  if (must_wait) {
    slot.waiting_syncs.push_back(number);
    waiting_syncs_.push_back(std::move(task));
  } else {
    begin(slot, std::move(task));
  }
}

void Disk::State::begin(FileSlot& slot, std::unique_ptr<DataTask> task) {
  if (is_flush(*task) && !slot.direct) slot.flushes.begin(task->number);
  engine_->begin(std::move(task));
}

DurableBy Disk::State::durable_by(const DiskOp& op, const FileSlot& slot) const {
  if (op.kind != DiskOpKind::write || !op.durable) return DurableBy::nothing;
  const DiskRoot* root = root_of(slot.dir);
  return root->mode == DiskMode::direct_dsync && slot.direct ? DurableBy::dsync : DurableBy::fdatasync;
}

Error Disk::State::error_of(const DataTask& task, const FileSlot& slot) const {
  return disk_error(task.op().kind, root_of(slot.dir)->path + "/" + slot.path, task.error());
}

void Disk::State::start_reopen(FileSlot& slot) {
  slot.state = FileSlot::State::reopening;
  make_room(1);
  const std::uint64_t number = next_number_++;
  const bool lane_free = lanes_.add(number, {path_key(slot.dir, slot.path)});
  Running running{.lane_free = lane_free, .internal = true, .in_lanes = true};
  running.op.kind = DiskOpKind::open;
  running.op.dir = slot.dir;
  running.op.file = slot.file;
  running.op.direct = slot.wants_direct;
  running_.emplace(number, std::move(running));
  dispatch_if_free(number);
}

void Disk::State::make_room(std::size_t descriptors_wanted) {
  while (files_.descriptors() + descriptors_wanted > options_.descriptors_max) {
    FileSlot* slot = files_.least_used();
    if (slot == nullptr) return;  // all are needed: the bound gives way, not the work
    slot->state = FileSlot::State::resting;
    ++counters_.rested;
    post_close(files_.take(*slot), slot->dir, slot->path);
  }
}

void Disk::State::post_close(Descriptor descriptor, DirId dir, const std::string& path) {
  const std::uint64_t number = next_number_++;
  FolderJob job;
  job.number = number;
  job.kind = DiskOpKind::close;
  job.root = *root_of(dir);
  job.path = path;
  job.descriptor = descriptor.release();
  Running running{.internal = true};
  running.op.kind = DiskOpKind::close;
  running_.emplace(number, std::move(running));
  workers_.post(std::move(job));
}

// The file is closed or could not be opened: operations that waited fail, up to an `open` that uses the id
// anew.
void Disk::State::after_gone(FileId file, std::deque<std::uint64_t> waiting, const Error& why) {
  while (!waiting.empty()) {
    const std::uint64_t number = waiting.front();
    const auto parked = parked_.find(number);
    if (parked == parked_.end()) break;
    waiting.pop_front();
    const DiskOp op = std::move(parked->second);
    parked_.erase(parked);
    complete(op, op.kind == DiskOpKind::close ? Result<std::uint64_t>(0) : std::unexpected(why));
  }
  if (waiting.empty()) return;
  const std::uint64_t number = waiting.front();
  waiting.pop_front();
  const DiskOp& op = running_.at(number).op;
  FileSlot& slot = files_.add(file, op.dir, op.path);
  slot.waiting = std::move(waiting);
  begin_open(slot, number);
}

// --- workers

void Disk::State::dispatch_if_free(std::uint64_t number) {
  Running& running = running_.at(number);
  if (running.lane_free && running.file_free) dispatch(number, running);
}

void Disk::State::dispatch(std::uint64_t number, Running& running) {
  DiskOp& op = running.op;
  FileSlot* slot = files_.find(op.file);
  FolderJob job;
  job.number = number;
  job.kind = op.kind;
  job.root = *root_of(op.dir);
  job.path = op.path;
  job.path2 = op.path2;
  job.at = op.at;
  job.size = op.size;
  job.content = std::move(op.content);
  job.create = op.create;
  job.exclusive = op.exclusive;
  job.direct = op.direct;
  job.durable = op.durable;
  job.extend = op.extend;
  job.urgent = op.urgent;
  job.temporary = options_.name;
  if (running.internal && op.kind == DiskOpKind::open) {
    op.path = slot->path;  // what it is called by now
    job.path = slot->nameless ? slot->path + " (removed)" : slot->path;
  }
  if (op.kind == DiskOpKind::sync_all && !(job.root.syncfs && job.root.syncfs_tells)) {
    // The kernel owes these descriptors the errors; one that is opened now is not told what another disk was.
    for (FileSlot* unsynced : files_.unsynced(op.dir)) {
      ++unsynced->active;
      unsynced->flushes.begin(number);
      running.synced.push_back(unsynced->file);
      job.files.push_back(unsynced->descriptor.get());
    }
  }
  if (op.kind == DiskOpKind::remove) job.still_open = files_.has_open(op.dir, op.path);
  if (op.kind == DiskOpKind::preallocate || stands_alone(op.kind)) {
    job.path = slot->path;
    job.descriptor = slot->descriptor.get();
  }
  if (op.kind == DiskOpKind::close) {
    job.path = slot->path;
    job.descriptor = files_.take(*slot).release();
    if (job.descriptor < 0) {  // it rested: there is nothing to close
      FolderResult result;
      result.number = number;
      return work_ended(std::move(result));
    }
  }
  workers_.post(std::move(job));
}

// --- the way out

void Disk::State::poll(std::vector<DiskDone>& done) {
  ended_tasks_.clear();
  engine_->reap(ended_tasks_);
  for (auto& task : ended_tasks_) data_ended(std::move(task));
  ended_tasks_.clear();
  if (!workers_.idle()) {
    ended_jobs_.clear();
    workers_.collect(ended_jobs_);
    for (FolderResult& result : ended_jobs_) work_ended(std::move(result));
    ended_jobs_.clear();
  }
  engine_->flush();
  workers_.flush();
  for (DiskDone& one : done_) done.push_back(std::move(one));
  done_.clear();
}

void Disk::State::data_ended(std::unique_ptr<DataTask> task) {
  const DiskOp& op = task->op();
  FileSlot& slot = *files_.find(op.file);
  if (op.kind == DiskOpKind::write) std::erase(slot.writes, task->number);
  if (task->error() != 0 && op.kind != DiskOpKind::read && slot.failure.empty()) {
    slot.failure = error_of(*task, slot).message;
  }
  if (is_flush(*task) && !slot.direct) {
    slot.flushes.end(task->number);
    unsettled_.push_back(std::move(task));
  } else {
    answer(slot, std::move(task));
  }
  settle(slot);

  // A sync waits until the last write before it has ended; if that failed, so does the sync.
  std::erase_if(slot.waiting_syncs, [&](std::uint64_t number) {
    if (slot.has_write_before(number)) return false;
    std::unique_ptr<DataTask> sync = take_task(waiting_syncs_, number);
    if (slot.failure.empty()) {
      begin(slot, std::move(sync));
    } else {
      --slot.active;
      complete(sync->op(), fail(Errc::storage, slot.failure));
    }
    return true;
  });
  advance(slot);
}

// Answers the flushes that may be believed now.
void Disk::State::settle(FileSlot& slot) {
  if (slot.flushes.empty()) return;
  for (const std::uint64_t number : slot.flushes.take_settled()) {
    if (auto task = take_task(unsettled_, number)) {
      answer(slot, std::move(task));
    } else {
      settle_all(slot, number);
    }
  }
}

void Disk::State::answer(FileSlot& slot, std::unique_ptr<DataTask> task) {
  const DiskOp& op = task->op();
  --slot.active;
  counters_.short_parts += op.kind == DiskOpKind::write ? task->short_parts() : 0;
  if (task->begun_ns != 0) {
    (op.kind == DiskOpKind::sync ? counters_.syncs : counters_.urgent_writes)
        .add_ns(now_ns() - task->begun_ns);
  }
  if (task->error() != 0) {
    complete(op, std::unexpected(error_of(*task, slot)));
  } else if (is_flush(*task) && !slot.failure.empty()) {
    complete(op, fail(Errc::storage, slot.failure));
  } else {
    if (op.kind == DiskOpKind::read) counters_.bytes_read += task->transferred();
    if (op.kind == DiskOpKind::write) counters_.bytes_written += task->transferred();
    if (op.kind == DiskOpKind::write && task->durable_by() == DurableBy::nothing) {
      slot.unsynced_ended = next_number_;
    }
    if (op.kind == DiskOpKind::sync && slot.last_unsynced_write < task->number) slot.last_unsynced_write = 0;
    complete(op, task->transferred());
  }
  spare_tasks_.push_back(std::move(task));
}

void Disk::State::work_ended(FolderResult result) {
  auto node = running_.extract(result.number);
  CHECK(!node.empty());
  Running& running = node.mapped();
  FileSlot* slot = files_.find(running.op.file);
  switch (running.op.kind) {
    case DiskOpKind::open:
      if (running.internal) {
        reopen_ended(running, result);
      } else {
        open_ended(running, result);
      }
      break;
    case DiskOpKind::close: {
      if (running.internal) break;
      std::deque<std::uint64_t> waiting = std::move(slot->waiting);
      const FileId file = slot->file;
      files_.erase(*slot);
      complete(running.op, result);
      after_gone(file, std::move(waiting), {Errc::storage, "the file was closed before"});
      break;
    }
    case DiskOpKind::truncate:
    case DiskOpKind::preallocate:
    case DiskOpKind::zero:
      --slot->active;
      if (stands_alone(running.op.kind)) slot->cutting = false;
      if (running.op.kind == DiskOpKind::truncate && !result.outcome && slot->failure.empty())
        slot->failure = result.outcome.error().message;
      complete(running.op, result);
      advance(*slot);
      break;
    case DiskOpKind::sync_all: {
      const bool in_lanes = std::exchange(running.in_lanes, false);
      all_ended(std::move(running), std::move(result));
      if (in_lanes) leave_lanes(node.key());
      return;
    }
    default:
      if (result.outcome) path_ended(running);
      complete(running.op, result);
  }
  if (running.in_lanes) leave_lanes(result.number);
}

void Disk::State::all_ended(Running running, FolderResult result) {
  const std::vector<FileId> files = std::move(running.synced);
  if (files.empty()) return all_settled({std::move(running.op), std::move(result), 0});
  for (const FileId file : files) {
    FileSlot& slot = *files_.find(file);
    if (is_lasting(result.outcome) && slot.failure.empty()) slot.failure = result.outcome.error().message;
    slot.flushes.end(result.number);
  }
  const std::uint64_t number = result.number;
  unsettled_all_.emplace(number, SyncOfAll{std::move(running.op), std::move(result), files.size()});
  for (const FileId file : files) {
    settle(*files_.find(file));
    advance(*files_.find(file));
  }
}

// One of its files has nobody left who may have the error.
void Disk::State::settle_all(FileSlot& slot, std::uint64_t number) {
  const auto found = unsettled_all_.find(number);
  --slot.active;
  SyncOfAll& sync = found->second;
  if (sync.result.outcome && !slot.failure.empty()) sync.result.outcome = fail(Errc::storage, slot.failure);
  if (--sync.unsettled > 0) return;
  all_settled(std::move(sync));
  unsettled_all_.erase(found);
}

void Disk::State::all_settled(SyncOfAll sync) {
  std::string& failure = sync_failures_[sync.op.dir];
  if (is_lasting(sync.result.outcome) && failure.empty()) failure = sync.result.outcome.error().message;
  if (!failure.empty()) sync.result.outcome = fail(Errc::storage, failure);
  if (sync.result.outcome) files_.synced(sync.op.dir, sync.result.number);
  complete(sync.op, sync.result);
}

void Disk::State::open_ended(const Running& running, FolderResult& result) {
  FileSlot& slot = *files_.find(running.op.file);
  if (result.outcome) {
    slot.state = FileSlot::State::open;
    slot.direct = result.direct;
    files_.opened(slot, std::move(result.opened));
    make_room(0);  // many opens at once pass the bound together
    complete(running.op, result);
    return advance(slot);
  }
  const Error why = result.outcome.error();
  std::deque<std::uint64_t> waiting = std::move(slot.waiting);
  files_.erase(slot);
  complete(running.op, result);
  after_gone(running.op.file, std::move(waiting), why);
}

void Disk::State::reopen_ended(const Running& running, FolderResult& result) {
  FileSlot& slot = *files_.find(running.op.file);
  if (result.outcome) {
    slot.state = FileSlot::State::open;
    slot.direct = result.direct;
    files_.opened(slot, std::move(result.opened));
    make_room(0);
    return advance(slot);
  }
  // What waited for the descriptor fails; a `close` goes its way; anything later tries again.
  slot.state = FileSlot::State::resting;
  // Too few descriptors pass, and say nothing of the disk; a file that went or is another one now does.
  const Error& found = result.outcome.error();
  const Error why{found.code == Errc::out_of_space ? found.code : Errc::storage, found.message};
  while (!slot.waiting.empty()) {
    const auto parked = parked_.find(slot.waiting.front());
    if (parked == parked_.end() || parked->second.kind == DiskOpKind::close) break;
    slot.waiting.pop_front();
    const DiskOp op = std::move(parked->second);
    parked_.erase(parked);
    complete(op, std::unexpected(why));
  }
  advance(slot);
}

void Disk::State::path_ended(const Running& running) {
  const DiskOp& op = running.op;
  if (op.kind == DiskOpKind::remove || op.kind == DiskOpKind::replace) files_.unnamed(op.dir, op.path);
  if (op.kind == DiskOpKind::rename && op.path != op.path2) {
    files_.unnamed(op.dir, op.path2);
    files_.renamed(op.dir, op.path, op.path2);
  }
}

void Disk::State::leave_lanes(std::uint64_t number) {
  std::vector<std::uint64_t> freed;
  lanes_.finish(number, freed);
  for (const std::uint64_t next : freed) {
    running_.at(next).lane_free = true;
    dispatch_if_free(next);
  }
}

void Disk::State::complete(const DiskOp& op, Result<std::uint64_t> outcome) {
  FolderResult result;
  result.outcome = std::move(outcome);
  complete(op, result);
}

void Disk::State::complete(const DiskOp& op, FolderResult& result) {
  ++counters_.completed;
  if (!result.outcome) ++counters_.failed;
  DiskDone& done = done_.emplace_back();
  done.token = op.token;
  done.dir = op.dir;
  done.outcome = std::move(result.outcome);
  done.content = std::move(result.content);
  done.names = std::move(result.names);
}

void Disk::State::wait(int timeout_ms) const {
  pollfd waited[] = {{wake_.get(), POLLIN, 0}, {engine_->descriptor(), POLLIN, 0}};
  ::poll(waited, std::size(waited), timeout_ms);
  wake_.clear();
}

// --- Disk

Disk::Disk(DiskOptions options) : state_(std::make_unique<State>(std::move(options))) {}

Disk::~Disk() {
  std::vector<DiskDone> nobody_asks;
  drain(nobody_asks);
}

void Disk::submit(std::vector<DiskOp>&& ops) {
  state_->submit(std::move(ops));
}
void Disk::poll(std::vector<DiskDone>& done) {
  state_->poll(done);
}
int Disk::wake_fd() const {
  return state_->wake_.get();
}
int Disk::ring_fd() const {
  return state_->engine_->descriptor();
}
bool Disk::ring_has_ended() const {
  return state_->engine_->has_ended();
}
void Disk::wait(int timeout_ms) const {
  state_->wait(timeout_ms);
}
bool Disk::idle() const {
  return state_->idle();
}

void Disk::drain(std::vector<DiskDone>& done) {
  state_->poll(done);
  constexpr int kLookAgainMs = 100;  // in case the wake-up was taken by an event loop
  while (!state_->idle()) {
    state_->wait(kLookAgainMs);
    state_->poll(done);
  }
}

DiskCounters Disk::counters() const {
  DiskCounters counters = state_->counters_;
  counters.engine = state_->engine_->counters();
  counters.lock_waits = state_->workers_.waits();
  counters.descriptors = state_->descriptors();
  return counters;
}

}  // namespace tailwater::shell
