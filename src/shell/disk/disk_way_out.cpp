#include <poll.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.hpp"
#include "shell/disk/disk_error.hpp"
#include "shell/disk/disk_state.hpp"

namespace tailwater::shell {
namespace {

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

}  // namespace tailwater::shell
