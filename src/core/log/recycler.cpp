#include "core/log/recycler.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.hpp"
#include "base/plant.hpp"
#include "core/log/directory.hpp"

namespace tailwater::log {

namespace {

constexpr std::string_view kOld = ".old";
constexpr std::string_view kBlank = ".blank";
// Smaller files cost more to be kept than to be made.
constexpr std::uint64_t kFilesMax = 1024;
constexpr Duration kLookInterval = Duration::from_ms(1'000);
constexpr Duration kPauseWhenFull = Duration::from_ms(60'000);

std::uint64_t whole_blocks(std::uint64_t bytes) {
  return journal::round_up(bytes, journal::kBlock);
}

std::string path_of(std::string_view name) {
  return std::string(kRecycled) + "/" + std::string(name);
}

std::string name_of(const std::string& path) {
  return path.substr(kRecycled.size() + 1);
}

std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

struct Parsed {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  bool blank = false;
};

// Nothing if the name is not one of ours: such a file is left alone.
std::optional<Parsed> parse(std::string_view name) {
  const auto take_dash = [&name] {
    const bool there = name.starts_with('-');
    if (there) name.remove_prefix(1);
    return there;
  };
  if (!take_number(name) || !take_dash()) return std::nullopt;
  const auto number = take_number(name);
  if (!number || !take_dash()) return std::nullopt;
  const auto bytes = take_number(name);
  if (!bytes || (name != kOld && name != kBlank)) return std::nullopt;
  return Parsed{*number, *bytes, name == kBlank};
}

std::string blank_name(const std::string& old) {
  return old.substr(0, old.size() - kOld.size()) + std::string(kBlank);
}

bool is(const DiskDone& done, Errc code) {
  return !done.outcome && done.outcome.error().code == code;
}

}  // namespace

std::uint64_t likely_bytes(const LogState& log, const Segment& segment) {
  if (segment.sealed) return segment.size;
  // It ends at the first batch that does not fit any more.
  return std::min<std::uint64_t>(log.config.segment_bytes, log.rolled_bytes + log.rolled_bytes / 8);
}

std::uint64_t file_bytes(const Segment& segment) {
  return whole_blocks(
      std::max(segment.flushed, segment.allocated[static_cast<std::size_t>(FileKind::records)]));
}

std::uint64_t Recycler::bytes_max() const {
  return dir_.shared.options.recycle_bytes.value_or(0);
}

std::uint64_t Recycler::bytes_min() const {
  return std::max<std::uint64_t>(bytes_max() / kFilesMax, journal::kBlock);
}

void Recycler::put(const std::string& name, File file) {
  if (!files_.emplace(name, file).second) return;
  bytes_ += file.bytes;
  if (is_own(name)) dir_.report.recycle_bytes += file.bytes;
}

Recycler::FileMap::iterator Recycler::drop(FileMap::iterator file) {
  bytes_ -= file->second.bytes;
  if (is_own(file->first)) dir_.report.recycle_bytes -= file->second.bytes;
  return files_.erase(file);
}

bool Recycler::is_own(std::string_view name) const {
  const auto shard = take_number(name);
  return shard == dir_.shared.options.shard.value;
}

// --- in

bool Recycler::takes(std::uint64_t size) const {
  if (!on() || !known_ || way_ != Way::kept || dir_.now.monotonic < refill_not_before_) return false;
  return whole_blocks(size) >= bytes_min() && bytes_ + whole_blocks(size) <= bytes_max();
}

std::string Recycler::admit(std::uint64_t size) {
  const File file{whole_blocks(size), State::arriving};
  const std::string name = std::to_string(dir_.shared.options.shard.value) + "-" +
                           std::to_string(next_number_++) + "-" + std::to_string(file.bytes) +
                           std::string(kOld);
  put(name, file);
  return path_of(name);
}

void Recycler::admitted(const std::string& path, bool came) {
  const auto file = files_.find(name_of(path));
  CHECK(file != files_.end());
  if (came) {
    file->second.state = State::old;
  } else {
    drop(file);
  }
}

// --- out

std::optional<Recycler::Spare> Recycler::take(std::uint64_t size_max) {
  if (!on() || !known_ || way_ != Way::kept || whole_blocks(size_max) < bytes_min()) return std::nullopt;
  auto best = files_.end();
  for (auto file = files_.begin(); file != files_.end(); ++file) {
    const bool fits = file->second.state == State::blank && file->second.bytes <= whole_blocks(size_max);
    if (fits && (best == files_.end() || file->second.bytes > best->second.bytes)) best = file;
  }
  if (best == files_.end()) {
    // Another shard may have put one there.
    look_due_ = true;
    return std::nullopt;
  }
  best->second.state = State::leaving;
  return Spare{path_of(best->first), best->second.bytes};
}

void Recycler::taken(const Spare& spare, bool went) {
  drop(files_.find(name_of(spare.path)));
  if (went) {
    ++dir_.report.recycled_segments;
  } else {
    look_due_ = true;
  }
}

// --- full

bool Recycler::give_way() {
  if (way_ == Way::wanted || way_ == Way::removing) return true;
  if (way_ == Way::given) {
    // It was not enough.
    way_ = Way::kept;
    return false;
  }
  if (bytes_max() == 0 || dir_.now.monotonic < refill_not_before_) return false;
  refill_not_before_ = dir_.now.monotonic + kPauseWhenFull;
  look_not_before_ = dir_.now.monotonic;
  way_ = Way::wanted;
  return true;
}

// --- life

void Recycler::send(Step step, DiskOpKind kind) {
  step_ = step;
  DiskOp op = dir_.op(kind, Part::recycler, static_cast<std::uint64_t>(step));
  op.file = FileId{(std::uint64_t{1} << 62) | dir_.index};
  if (step == Step::list || step == Step::folder) op.path = kRecycled;
  if (step == Step::open) {
    op.path = path_of(*blanking_);
    op.exclusive = true;
  }
  op.durable = step == Step::folder;
  if (step == Step::cut || step == Step::zero) op.size = parse(*blanking_)->bytes;
  ++outstanding_;
  dir_.shared.outbox.push_back(std::move(op));
}

void Recycler::send_name(DiskOpKind kind, const std::string& name, const std::string& name2) {
  const Step step = kind == DiskOpKind::rename ? Step::rename : Step::remove;
  DiskOp op = dir_.op(kind, Part::recycler, static_cast<std::uint64_t>(step));
  op.path = path_of(name);
  if (!name2.empty()) op.path2 = path_of(name2);
  op.durable = kind == DiskOpKind::rename;
  ++outstanding_;
  dir_.shared.outbox.push_back(std::move(op));
}

void Recycler::turn() {
  if (!dir_.shared.options.recycle_bytes || outstanding_ > 0) return;
  const Instant now = dir_.now.monotonic;
  if (step_ == Step::busy) {
    if (dir_.stopping || way_ == Way::wanted) {
      stop_blanking();
    } else if (retry_at_ <= now) {
      return send(Step::open, DiskOpKind::open);
    } else {
      return;
    }
  }
  if (way_ == Way::removing) {
    way_ = Way::given;
    given_at_ = now;
  }
  if (way_ == Way::given && now >= given_at_ + dir_.shared.options.full_retry_interval) way_ = Way::kept;
  if (wants_look() && now >= look_not_before_) {
    send(Step::list, DiskOpKind::list);
  } else if (way_ == Way::kept && !dir_.stopping) {
    blank_next();
  }
}

bool Recycler::wants_look() const {
  return way_ == Way::wanted || (!dir_.stopping && (!known_ || (look_due_ && on())));
}

Instant Recycler::next_deadline() const {
  if (!dir_.shared.options.recycle_bytes || outstanding_ > 0) return Instant::max();
  if (step_ == Step::busy) return retry_at_;
  if (way_ == Way::removing) return Instant{};
  if (way_ == Way::kept && !dir_.stopping && next_old() != files_.end()) return Instant{};
  Instant earliest = wants_look() ? look_not_before_ : Instant::max();
  if (way_ == Way::given) earliest = std::min(earliest, given_at_ + dir_.shared.options.full_retry_interval);
  return earliest;
}

void Recycler::completed(const DiskDone& done) {
  --outstanding_;
  if (dir_.report.state == DirState::offline) return;
  switch (static_cast<Step>(detail_of(done.token))) {
    case Step::list:
      return listed(done);
    case Step::folder:
      step_ = Step::none;
      known_ = !found_no_room(done) && !dir_.check(done);
      return;
    case Step::remove:
      if (found_no_room(done)) look_due_ = true;  // it is still there
      if (!is(done, Errc::not_found) && !found_no_room(done)) dir_.check(done);
      return;
    default:
      return blank_further(done);
  }
}

// --- looking

void Recycler::listed(const DiskDone& done) {
  step_ = Step::none;
  look_due_ = false;
  look_not_before_ = dir_.now.monotonic + kLookInterval;
  if (found_no_room(done)) {  // of descriptors
    look_due_ = true;
    return;
  }
  const bool absent = is(done, Errc::not_found);
  if (!absent && dir_.check(done)) return;
  if (absent && bytes_max() > 0 && way_ == Way::kept) return send(Step::folder, DiskOpKind::create_folder);
  known_ = !absent || bytes_max() == 0;
  for (auto file = files_.begin(); file != files_.end();) {
    // Of its own .old ones it knows itself.
    const bool listed = file->second.state == State::blank || !is_own(file->first);
    const bool gone = listed && rests(file->second) && !std::ranges::binary_search(done.names, file->first);
    file = gone ? drop(file) : std::next(file);
  }
  for (const std::string& name : done.names) {
    const auto parsed = parse(name);
    if (!parsed) continue;
    if (is_own(name)) next_number_ = std::max(next_number_, parsed->number + 1);
    put(name, File{parsed->bytes, parsed->blank ? State::blank : State::old});
  }
  const bool all = way_ == Way::wanted;
  if (all) way_ = Way::removing;
  remove_files(all ? 0 : bytes_max(), all ? Whose::everybodys : Whose::own);
}

// Until no more bytes are left. The bound may have become lower, and two shards may have passed it together.
void Recycler::remove_files(std::uint64_t leave, Whose whose) {
  for (auto file = files_.begin(); file != files_.end() && bytes_ > leave;) {
    const bool goes = rests(file->second) && (whose == Whose::everybodys || is_own(file->first));
    if (goes) send_name(DiskOpKind::remove, file->first);
    file = goes ? drop(file) : std::next(file);
  }
}

// --- blanking

Recycler::FileMap::const_iterator Recycler::next_old() const {
  return std::ranges::find_if(
      files_, [&](const auto& file) { return file.second.state == State::old && is_own(file.first); });
}

void Recycler::blank_next() {
  const auto next = next_old();
  if (next == files_.end()) return;
  if (!can_zero_) return remove_files(0, Whose::own);
  blanking_ = next->first;
  blank_ = false;
  give_up_at_ = dir_.now.monotonic + dir_.shared.options.lock_wait_max;
  send(Step::open, DiskOpKind::open);
}

void Recycler::stop_blanking() {
  step_ = Step::none;
  retry_at_ = Instant::max();
  blanking_.reset();
}

void Recycler::drop_blanking() {
  if (const auto file = files_.find(*blanking_); file != files_.end()) drop(file);
  send_name(DiskOpKind::remove, *blanking_);
  stop_blanking();
}

void Recycler::blank_further(const DiskDone& done) {
  switch (step_) {
    case Step::open:
      return opened(done);
    case Step::cut:
      if (dir_.check(done)) return;
      if (planted(Plant::recycle_without_zeroing)) return send(Step::sync, DiskOpKind::sync);
      return send(Step::zero, DiskOpKind::zero);
    case Step::zero:
      if (is(done, Errc::unsupported)) can_zero_ = false;
      if (is(done, Errc::unsupported) || found_no_room(done)) return send(Step::close, DiskOpKind::close);
      if (dir_.check(done)) return;
      if (planted(Plant::recycle_before_sync)) {
        blank_ = true;
        return send(Step::close, DiskOpKind::close);
      }
      return send(Step::sync, DiskOpKind::sync);
    case Step::sync:
      if (dir_.check(done)) return;
      blank_ = true;
      return send(Step::close, DiskOpKind::close);
    case Step::close:
      if (dir_.check(done)) return;
      if (!blank_) return drop_blanking();
      step_ = Step::rename;
      return send_name(DiskOpKind::rename, *blanking_, blank_name(*blanking_));
    case Step::rename:
      return renamed(done);
    default:
      return;
  }
}

void Recycler::opened(const DiskDone& done) {
  if (is(done, Errc::not_found)) return drop_blanking();
  // Descriptors may have run out, too.
  if (is(done, Errc::busy) || found_no_room(done)) {
    if (dir_.now.monotonic >= give_up_at_) return drop_blanking();
    step_ = Step::busy;
    retry_at_ = dir_.now.monotonic + dir_.shared.options.lock_retry_interval;
    return;
  }
  if (!dir_.check(done)) send(Step::cut, DiskOpKind::truncate);
}

void Recycler::renamed(const DiskDone& done) {
  if (is(done, Errc::not_found) || found_no_room(done)) return drop_blanking();
  if (dir_.check(done)) return;
  const auto old = files_.find(*blanking_);
  put(blank_name(*blanking_), File{old->second.bytes, State::blank});
  drop(old);
  stop_blanking();
}

}  // namespace tailwater::log
