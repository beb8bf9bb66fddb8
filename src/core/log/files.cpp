#include "core/log/files.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace tailwater::log {

FileHandle Files::add(Terms terms) {
  FileHandle file = 0;
  if (free_.empty()) {
    file = static_cast<FileHandle>(entries_.size());
    entries_.emplace_back();
  } else {
    file = free_.back();
    free_.pop_back();
  }
  entries_[file] = Entry{};
  entries_[file].terms = std::move(terms);
  entries_[file].in_use = true;
  return file;
}

void Files::submit(FileHandle file, DiskOp op) {
  Entry& entry = entries_[file];
  CHECK(!entry.forgotten || entry.users > 0);
  retain(file);
  op.dir = entry.terms.dir;
  if (entry.state == State::open) {
    op.file = entry.id;
    outbox_.push_back(std::move(op));
    return;
  }
  entry.waiting.push_back(std::move(op));
  if (entry.state == State::closed && !entry.terms.moving) open(file);
}

void Files::arrived(FileHandle file) {
  Entry& entry = entries_[file];
  entry.terms.moving = false;
  if (entry.state == State::closed && !entry.waiting.empty()) open(file);
}

void Files::retain(FileHandle file) {
  Entry& entry = entries_[file];
  CHECK(entry.in_use);
  if (entry.users++ == 0 && entry.state == State::open) unlink(file);
}

void Files::release(FileHandle file) {
  Entry& entry = entries_[file];
  CHECK(entry.users > 0);
  if (--entry.users > 0 || entry.state != State::open) {
    if (entry.users == 0 && entry.forgotten && entry.state == State::closed) recycle(file);
    return;
  }
  if (entry.forgotten) {
    close(file);
    return;
  }
  link(file);
  close_surplus();
}

void Files::close_surplus() {
  while (open_count_ > options_.open_files_max && oldest_ != 0) {
    const FileHandle unused = oldest_;
    unlink(unused);
    close(unused);
  }
}

void Files::forget(FileHandle file) {
  Entry& entry = entries_[file];
  CHECK(!entry.forgotten);
  entry.forgotten = true;
  // What still waits for the name gets an answer, if only that there is no such file.
  if (entry.terms.moving) arrived(file);
  if (entry.users > 0) return;
  if (entry.state == State::open) {
    unlink(file);
    close(file);
  } else if (entry.state == State::closed) {
    recycle(file);
  }
}

void Files::open(FileHandle file) {
  ++open_count_;
  close_surplus();
  Entry& entry = entries_[file];
  entry.state = State::opening;
  entry.id = FileId{next_id_++};
  DiskOp op;
  op.kind = DiskOpKind::open;
  op.token = make_token(Part::files, entry.terms.dir_index, file);
  op.dir = entry.terms.dir;
  op.file = entry.id;
  op.path = entry.terms.path;
  op.create = entry.terms.use == Use::write;
  op.exclusive = op.create;
  op.direct = entry.terms.direct;
  op.durable = op.create && entry.terms.durable;
  outbox_.push_back(std::move(op));
}

void Files::close(FileHandle file) {
  Entry& entry = entries_[file];
  entry.state = State::closing;
  --open_count_;
  DiskOp op;
  op.kind = DiskOpKind::close;
  op.token = make_token(Part::files, entry.terms.dir_index, file);
  op.dir = entry.terms.dir;
  op.file = entry.id;
  outbox_.push_back(std::move(op));
}

void Files::completed(const DiskDone& done, Now now) {
  const auto file = static_cast<FileHandle>(detail_of(done.token));
  Entry& entry = entries_[file];
  if (entry.state == State::opening) {
    opened(file, done, now);
    return;
  }
  // What a close answers changes nothing: the file's bytes were synced before.
  CHECK(entry.state == State::closing);
  entry.state = State::closed;
  if (!entry.waiting.empty()) {
    open(file);
  } else if (entry.forgotten && entry.users == 0) {
    recycle(file);
  }
}

void Files::opened(FileHandle file, const DiskDone& done, Now now) {
  Entry& entry = entries_[file];
  if (done.outcome) {
    entry.state = State::open;
    entry.retry_at = entry.give_up_at = {};
    for (DiskOp& op : entry.waiting) {
      op.file = entry.id;
      outbox_.push_back(std::move(op));
    }
    entry.waiting.clear();
    return;
  }
  --open_count_;
  if (done.outcome.error().code == Errc::busy) {
    if (entry.give_up_at == Instant{}) entry.give_up_at = now.monotonic + options_.lock_wait_max;
    if (now.monotonic < entry.give_up_at) {
      close_unused(entry.terms);
      entry.state = State::busy;
      entry.retry_at = now.monotonic + options_.lock_retry_interval;
      busy_.push_back(file);
      return;
    }
  }
  entry.state = State::closed;
  entry.give_up_at = {};
  fail_waiting(file, done.outcome.error());
}

// A segment that was truncated away and begun anew has the same name: whoever merely kept its file open makes
// way.
void Files::close_unused(const Terms& terms) {
  for (FileHandle file = oldest_; file != 0;) {
    const Entry& entry = entries_[file];
    const FileHandle next = entry.newer;
    if (entry.terms.dir_index == terms.dir_index && entry.terms.path == terms.path) {
      unlink(file);
      close(file);
    }
    file = next;
  }
}

void Files::fail_waiting(FileHandle file, const Error& error) {
  Entry& entry = entries_[file];
  for (DiskOp& op : entry.waiting) {
    DiskDone done;
    done.token = op.token;
    done.dir = op.dir;
    done.outcome = std::unexpected(error);
    failures_.push_back(std::move(done));
  }
  entry.waiting.clear();
}

void Files::turn(Now now) {
  std::erase_if(busy_, [&](FileHandle file) {
    if (entries_[file].retry_at > now.monotonic) return false;
    open(file);
    return true;
  });
}

Instant Files::next_deadline() const {
  Instant earliest = Instant::max();
  for (const FileHandle file : busy_) earliest = std::min(earliest, entries_[file].retry_at);
  return earliest;
}

void Files::recycle(FileHandle file) {
  entries_[file] = Entry{};
  free_.push_back(file);
}

void Files::link(FileHandle file) {
  Entry& entry = entries_[file];
  entry.older = newest_;
  entry.newer = 0;
  (newest_ == 0 ? oldest_ : entries_[newest_].newer) = file;
  newest_ = file;
}

void Files::unlink(FileHandle file) {
  Entry& entry = entries_[file];
  (entry.older == 0 ? oldest_ : entries_[entry.older].newer) = entry.newer;
  (entry.newer == 0 ? newest_ : entries_[entry.newer].older) = entry.older;
  entry.older = entry.newer = 0;
}

}  // namespace tailwater::log
