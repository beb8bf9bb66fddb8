#include "shell/disk/disk.hpp"

#include <fcntl.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/check.hpp"
#include "shell/disk/disk_error.hpp"
#include "shell/disk/disk_state.hpp"
#include "shell/disk/mixed_engine.hpp"
#include "shell/disk/pool_engine.hpp"
#include "shell/disk/uring_engine.hpp"

namespace tailwater::shell {
namespace {

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

}  // namespace

void DiskLatencies::add_ns(std::int64_t ns) {
  const std::uint64_t us = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)) / 1000;
  const auto bucket = static_cast<std::size_t>(std::bit_width(us | 1) - 1);
  ++buckets[std::min(bucket, buckets.size() - 1)];
  ++count;
  sum_us += us;
}

Disk::State::State(DiskOptions options)
    : options_(std::move(options)),
      engine_(make_engine(options_, wake_)),
      workers_(options_.folder_threads, options_.lock_patience, wake_) {
  for (DiskRoot& root : options_.roots) {
    Descriptor folder(::openat(root.folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) throw std::system_error(errno, std::generic_category(), root.path);
    root.file_system = file_systems_.emplace_back(std::make_unique<FileSystemSync>(std::move(folder))).get();
  }
}

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
