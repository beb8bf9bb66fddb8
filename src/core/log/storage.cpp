#include "core/log/storage.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/check.hpp"
#include "base/stream_copy.hpp"
#include "core/log/compaction.hpp"
#include "core/log/directory.hpp"
#include "core/log/log_ops.hpp"
#include "core/log/manifest.hpp"
#include "core/log/reader.hpp"
#include "core/log/retention.hpp"
#include "core/log/tail.hpp"

namespace tailwater::log {

namespace {

using journal::EntryKind;

// Logs whose retention is looked at in one turn.
constexpr std::size_t kRetentionSlice = 256;

}  // namespace

class Storage::State {
 public:
  explicit State(StorageOptions options)
      : shared(std::move(options)), blocks(shared), reader(shared, blocks) {
    for (const DirId dir : shared.options.dirs) {
      Directory& hard = add_directory(dir, Directory::Kind::hard);
      if (!shared.options.os_ring) continue;
      hard.twin = &add_directory(dir, Directory::Kind::soft);
      hard.twin->twin = &hard;
    }
    CHECK(dirs.size() <= 256);
  }
  ~State() {
    for (auto& [id, log] : shared.registry.logs) drop_chunks(state_of(*log));
    for (auto& log : shared.registry.removed) drop_chunks(state_of(*log));
  }

  void drop_chunks(LogState& log) {
    log.dir->journal.drop_held(log);
    while (!log.chunks.empty()) {
      shared.tail.drop(log.chunks.back());
      log.chunks.pop_back();
    }
  }

  Directory& add_directory(DirId id, Directory::Kind kind) {
    return *dirs.emplace_back(std::make_unique<Directory>(shared, id, dirs.size(), kind));
  }
  Directory* dir(DirId id) {
    for (const auto& each : dirs) {
      if (each->id == id && !each->soft) return each.get();
    }
    return nullptr;
  }

  void route(DiskDone done, Now now);
  void route_failures(Now now);
  void retention(Now now);
  void retain(LogState& log, Now now);
  void evict();
  void update_report(Directory& each);
  bool full_of_dirt() const { return shared.tail.dirty_bytes() >= shared.dirty_bytes_max(); }

  void roll(LogState& log);
  void note_truncation(LogState& log, const CutPlace& place);

  Shared shared;
  BlockReader blocks;
  Reader reader;
  std::vector<std::unique_ptr<Directory>> dirs;
  Compactor compactor{shared, dirs};
  // Truncations that wait until the journal no longer names a direct run.
  struct Trim {
    ReadTicket ticket;
    Directory* dir = nullptr;
    Lsn run;
  };
  std::vector<Trim> trims;
  std::int64_t producer_expiration_ms = shared.options.producer_expiration_ms;
  bool started = false;
  bool stopping = false;
  Instant next_retention = Instant::max();
  LogId retention_from;
  bool retention_running = false;
};

Storage::Storage(StorageOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Storage::~Storage() = default;

// --- life

void Storage::start(Now now, DiskEffects& effects) {
  CHECK(!state_->started);
  state_->started = true;
  state_->next_retention = now.monotonic + state_->shared.options.retention_interval;
  for (const auto& dir : state_->dirs) {
    dir->now = now;
    dir->starter.start();
  }
  turn(now, effects);
}

void Storage::completed(DiskDone done, Now now) {
  state_->route(std::move(done), now);
  state_->route_failures(now);
}

void Storage::State::route(DiskDone done, Now now) {
  const DiskToken token = done.token;
  Directory& to = *dirs.at(dir_index_of(token));
  to.now = now;
  switch (part_of(token)) {
    case Part::journal:
      to.journal.frames().completed(done);
      return;
    case Part::start:
      to.starter.completed(std::move(done));
      return;
    case Part::files:
      shared.files.completed(done, now);
      return;
    case Part::flush:
      to.flusher.completed(done);
      return;
    case Part::checkpoint:
      to.checkpoint.completed(done);
      return;
    case Part::growth:
      to.growth.completed(done);
      return;
    case Part::reader:
      blocks.completed(done, to);
      return;
    case Part::janitor:
      to.janitor.completed(done);
      return;
    case Part::head:
      to.heads.completed(done);
      return;
    case Part::compaction:
      compactor.completed(done);
      return;
    case Part::ring_sync:
      to.journal.frames().synced(done);
      return;
    case Part::direct:
      to.direct.completed(done);
      return;
    case Part::recycler:
      to.recycler.completed(done);
      return;
  }
}

void Storage::State::route_failures(Now now) {
  while (!shared.files.failures().empty()) {
    std::vector<DiskDone> failures = std::exchange(shared.files.failures(), {});
    for (DiskDone& failure : failures) route(std::move(failure), now);
  }
}

void Storage::turn(Now now, DiskEffects& effects) {
  State& state = *state_;
  state.blocks.turn();
  state.shared.files.turn(now);
  if (state.next_retention <= now.monotonic && !state.stopping) state.retention(now);
  for (const auto& dir : state.dirs) dir->now = now;
  state.compactor.turn(now);
  for (const auto& dir : state.dirs) {
    if (dir->report.state == DirState::offline || dir->report.state == DirState::stopped) continue;
    dir->starter.turn();
    // Nothing was ever acknowledged of logs whose ring finds no room.
    if (state.stopping && dir->starter.no_room()) dir->rest = Directory::Rest::asleep;
    if (state.stopping && dir->rest == Directory::Rest::asleep) dir->report.state = DirState::stopped;
    if (!dir->online() || !dir->awake()) continue;
    dir->newcomers.turn();
    if (!dir->soft) dir->recycler.turn();
    dir->janitor.turn();
    dir->heads.turn();
    dir->direct.turn();
    dir->flusher.turn();
    dir->checkpoint.turn();
    dir->journal.turn();
    dir->checkpoint.turn();
    dir->growth.turn();
    state.update_report(*dir);
  }
  std::erase_if(state.trims, [&](const State::Trim& trim) {
    if (trim.dir->online() && trim.dir->ring.trim() <= trim.run) return false;
    state.blocks.keep_promise(trim.ticket);
    return true;
  });
  state.evict();
  state.shared.pool.look(now.monotonic);
  state.shared.registry.sweep();
  state.route_failures(now);
  std::move(state.shared.outbox.begin(), state.shared.outbox.end(), std::back_inserter(effects));
  state.shared.outbox.clear();
}

void Storage::State::update_report(Directory& each) {
  each.eased = each.eased || (each.recovered && each.ring_demand() <= each.ring.capacity() / 2);
  each.report.ring_used_bytes = each.ring.used();
  each.report.dirty_bytes = shared.tail.dirty_bytes();
  const bool full = each.full() || (each.twin != nullptr && each.twin->full());
  if (!each.frames_blocked) each.report.state = full ? DirState::full : DirState::online;
  if (stopping && each.checkpoint.finished() && each.journal.idle()) each.report.state = DirState::stopped;
}

void Storage::State::evict() {
  const std::uint64_t held = shared.cold.bytes();
  const std::uint64_t budget = shared.options.memory_bytes > held ? shared.options.memory_bytes - held : 0;
  // What readers hold is no reason to give up what others will read.
  shared.tail.shrink(
      std::min(budget, shared.tail.dirty_bytes() + shared.tail.lent_bytes() + shared.room.bytes()),
      [](cache::Chunk& chunk) {
        auto& log = *static_cast<LogState*>(chunk.owner);
        if (log.chunks.empty() || log.chunks.front() != &chunk) return false;
        log.chunks.pop_front();
        return true;
      });
}

Instant Storage::next_deadline() const {
  const State& state = *state_;
  if (!state.shared.news.empty() || !state.shared.outbox.empty()) return Instant{};
  Instant earliest = std::min({state.shared.files.next_deadline(), state.compactor.next_deadline(),
                               state.shared.pool.next_deadline()});
  if (!state.stopping)
    earliest = std::min(earliest, state.retention_running ? Instant{} : state.next_retention);
  for (const auto& dir : state.dirs) {
    earliest = std::min(earliest, dir->starter.next_deadline());
    if (!dir->online() || !dir->awake() || dir->report.state == DirState::stopped) continue;
    if (dir->checkpoint.ready()) return Instant{};
    earliest = std::min({earliest, dir->heads.next_deadline(), dir->direct.next_deadline(),
                         dir->flusher.next_deadline(), dir->janitor.next_deadline(),
                         dir->checkpoint.next_deadline(), dir->journal.frames().next_deadline()});
    if (!dir->soft) earliest = std::min(earliest, dir->recycler.next_deadline());
  }
  return earliest;
}

void Storage::stop() {
  state_->stopping = true;
  for (const auto& dir : state_->dirs) dir->stopping = true;
}

bool Storage::stopped() const {
  return state_->stopping && std::all_of(state_->dirs.begin(), state_->dirs.end(), [](const auto& dir) {
           return dir->report.state == DirState::stopped || dir->report.state == DirState::offline;
         });
}

Manifest Storage::describe(DirId dir, bool soft) const {
  CHECK(stopped());
  const Directory* found = state_->dir(dir);
  return (soft ? found->twin : found)->checkpoint.state();
}

bool Storage::recovered() const {
  return std::none_of(state_->dirs.begin(), state_->dirs.end(),
                      [](const auto& dir) { return dir->report.state == DirState::starting; });
}

const DirReport& Storage::report(DirId dir, bool soft) const {
  const Directory* found = state_->dir(dir);
  CHECK(found != nullptr);
  return (soft ? found->twin : found)->report;
}

bool Storage::held_back(DirId dir) const {
  const Directory* found = state_->dir(dir);
  if (found == nullptr || !found->online()) return false;
  const auto holds = [](const Directory& each) {
    return each.full() || each.rest == Directory::Rest::waking || each.growth.wanted() ||
           each.ring_demand() > each.taking_end();
  };
  return holds(*found) || (found->twin != nullptr && holds(*found->twin)) || state_->full_of_dirt();
}

CacheReport Storage::cache() const {
  const Shared& shared = state_->shared;
  CacheReport report{.unflushed = shared.tail.dirty_bytes(),
                     .recent = shared.tail.bytes() - shared.tail.dirty_bytes(),
                     .cold = shared.cold.bytes()};
  report.other = shared.pool.held_bytes() - report.bytes();
  return report;
}

std::uint64_t Storage::pinned_reads() const {
  return state_->reader.pinned();
}

std::uint64_t Storage::corrupt_reads() const {
  return state_->reader.corrupt_reads();
}

const CompactionStats& Storage::compaction() const {
  return state_->compactor.stats();
}

// --- logs

Result<Log*> Storage::create(const LogIdentity& identity, const LogConfig& config) {
  Directory* dir = state_->dir(identity.dir);
  if (dir == nullptr) return fail(Errc::not_found, "there is no such log directory");
  if (config.os_durable && dir->twin != nullptr) dir = dir->twin;
  if (!dir->accepts()) return fail(Errc::storage, "the log directory is not online");
  if (dir->rest == Directory::Rest::asleep) dir->starter.wake();
  LogIdentity named = identity;
  if (named.id == LogId{}) named.id = LogId{dir->next_log_id};
  if (state_->shared.registry.logs.contains(named.id))
    return fail(Errc::already_exists, "a log with this id exists");
  dir->next_log_id = std::max(dir->next_log_id, named.id.value + 1);
  LogState& log = add_log(*dir, named, Offset{0});
  set_config(*log.log, config);
  Buffer content(20);
  store_little(content.data(), named.topic_id.high);
  store_little(content.data() + 8, named.topic_id.low);
  store_little(content.data() + 16, named.partition.value);
  const Bytes topic = as_bytes(named.topic);
  content.insert(content.end(), topic.begin(), topic.end());
  dir->newcomers.admit(log);
  dir->journal.push(log, {.kind = EntryKind::create, .content = std::move(content)});
  return log.log;
}

Log* Storage::find(LogId id) {
  const auto found = state_->shared.registry.logs.find(id);
  return found == state_->shared.registry.logs.end() ? nullptr : found->second.get();
}

void Storage::remove(LogId id) {
  Log* const outside = find(id);
  if (outside == nullptr) return;
  LogState& log = state_of(*outside);
  Directory& dir = *log.dir;
  if (dir.accepts()) {
    dir.journal.drop_held(log);
    log.removed = true;
    const bool folder = log.may_have_folder();
    // A newcomer left no trace yet.
    if (!log.newcomer)
      dir.journal.push(log, {.kind = EntryKind::remove, .argument = folder ? 0 : kNeverHadFolder});
    if (folder) dir.janitor.doom_folder(log);
  }
  forget_log(dir, log);
}

std::span<Log* const> Storage::logs() const {
  LogRegistry& registry = state_->shared.registry;
  if (!registry.listed_valid) {
    registry.listed.clear();
    for (const auto& [id, log] : registry.logs) registry.listed.push_back(log.get());
    registry.listed_valid = true;
  }
  return registry.listed;
}

void Storage::set_config(Log& log, const LogConfig& config) {
  LogState& inside = state_of(log);
  inside.config = config;
  inside.configured = true;
}

void Storage::set_producer_expiration_ms(std::int64_t expiration_ms) {
  state_->producer_expiration_ms = expiration_ms;
}

void Storage::set_compaction(std::uint64_t map_bytes, Duration interval) {
  state_->compactor.set_terms(map_bytes, interval);
}

// --- writing

void Storage::State::roll(LogState& log) {
  apply_roll(*log.dir, log, log.end);
  log.dir->journal.push(log, {.kind = EntryKind::roll, .segment = log.end, .base_offset = log.end});
}

namespace {

AppendRefusal refusal_of(Growth::Prospect prospect) {
  switch (prospect) {
    case Growth::Prospect::grows:
      return AppendRefusal::held_back;
    case Growth::Prospect::never:
      return AppendRefusal::too_large;
    case Growth::Prospect::no_room:
      break;
  }
  return AppendRefusal::storage;
}

constexpr std::size_t kStreamed = 65'536;

// The next to read what lies behind the header of a large batch is the disk, or somebody else's processor, unless the
// journal takes it or its checksum has to be made anew (`read_here`).
void copy_batch(Bytes from, MutableBytes to, bool read_here) {
  const std::size_t near = read_here || from.size() < kStreamed ? from.size() : journal::kBlock;
  std::copy_n(from.begin(), near, to.begin());
  stream_copy(from.subspan(near), to.data() + near);
}

}  // namespace

std::expected<Appended, AppendRefusal> Storage::append(Log& outside, Bytes bytes,
                                                       const records::BatchInfo& info,
                                                       const AppendTerms& terms, Now now) {
  LogState& log = state_of(outside);
  Directory& dir = *log.dir;
  if (!dir.accepts() || dir.stopping || log.removed) return std::unexpected(AppendRefusal::storage);
  const bool replica = terms.origin == Origin::replica;
  if (terms.origin == Origin::client && info.producer_id.value >= 0 && log.producers) {
    const ProducerTable::Verdict verdict = log.producers->check(info);
    if (verdict.refusal) return std::unexpected(*verdict.refusal);
    if (verdict.duplicate != nullptr) {
      const ProducerBatch& known = *verdict.duplicate;
      const WallTime time{log.config.log_append_time ? known.timestamp : -1};
      return Appended{Offset{known.last_offset.value - known.offset_delta}, known.last_offset, time, true};
    }
  }
  if (!dir.awake()) return std::unexpected(AppendRefusal::held_back);
  if (bytes.size() > log.config.segment_bytes) return std::unexpected(AppendRefusal::too_large);
  if (!dir.takes(bytes.size())) return std::unexpected(refusal_of(dir.growth.want(bytes.size())));
  if (!dir.has_room(bytes.size())) return std::unexpected(AppendRefusal::held_back);
  const Offset base = replica ? records::BatchView(bytes).base_offset() : log.end;
  if (base < log.end) return std::unexpected(AppendRefusal::out_of_order_offset);
  const Offset last = base + info.last_offset_delta;
  const bool stamp = log.config.log_append_time && !replica;
  const std::int64_t newest = stamp ? now.wall.ms : info.max_timestamp;
  if (must_roll(log, {bytes.size(), last, newest}, now.wall)) state_->roll(log);

  cache::Chunk& chunk = *chunk_for(log, state_->shared.tail, end_place(log), bytes.size());
  dir.heads.load_if_missing(log);
  const std::uint64_t from = log.active().size;
  const MutableBytes batch(chunk.at(from), bytes.size());
  // Asked of the bytes that came, and before they are copied: what is written behind the copy is on its way to memory
  // for as long as that.
  const records::BatchView came(bytes);
  const StoredBatch stored{
      .base = base,
      .last = last,
      .size = bytes.size(),
      .max_timestamp = stamp || info.wrong_max_timestamp ? newest : came.max_timestamp()};
  copy_batch(bytes, batch, stamp || info.wrong_max_timestamp || !dir.direct.may_take(log));
  if (!replica) {
    records::set_base_offset(batch, base);
    records::set_leader_epoch(batch, terms.epoch);
    if (stamp) {
      records::set_log_append_time(batch, now.wall);
    } else if (info.wrong_max_timestamp) {
      records::set_max_timestamp(batch, info.max_timestamp);
    }
  }
  account_batch(log, chunk, stored);
  note_untimed(log.active(), now.wall);
  log.newest = state_->shared.room.came(bytes.size());
  log.epochs.begin(replica ? came.leader_epoch() : terms.epoch, base);
  if (came.has_producer()) log.producer_table().apply(records::BatchView(batch));
  dir.journal.push_batch(log, chunk, from, log.active().size);
  return Appended{base, last, WallTime{stamp ? now.wall.ms : -1}, false};
}

bool Storage::goes_before(const Log& first, Log& second) {
  const LogState& before = state_of(const_cast<Log&>(first));
  LogState& behind = state_of(second);
  if (before.dir != behind.dir || !before.held.empty()) return false;
  behind.joins_from = std::max(behind.joins_from, before.last_pending);
  return true;
}

void Storage::want_stable(Log& outside) {
  LogState& log = state_of(outside);
  if (log.dir->soft) log.dir->journal.want_stable(log);
}

void Storage::begin_epoch(Log& outside, LeaderEpoch epoch) {
  LogState& log = state_of(outside);
  if (!log.dir->accepts() || !log.epochs.begin(epoch, log.end)) return;
  log.dir->journal.push(log, {.kind = EntryKind::epoch_start,
                              .base_offset = log.end,
                              .argument = static_cast<std::uint32_t>(epoch.value)});
}

void Storage::set_log_start(Log& outside, Offset start) {
  LogState& log = state_of(outside);
  CHECK(start <= log.end);
  // At a stop the last manifest may have been taken: who sees the new start would see the old one again.
  if (!log.dir->accepts() || log.dir->stopping || start <= log.start) return;
  apply_log_start(*log.dir, log, start, Duration::from_ms(log.config.file_delete_delay_ms));
  log.dir->journal.push(log, {.kind = EntryKind::log_start, .base_offset = start});
}

TruncateAnswer Storage::truncate(Log& outside, Offset end) {
  LogState& log = state_of(outside);
  if (!log.dir->accepts()) return {TruncateAnswer::Kind::failed, {}};
  if (end >= log.end) return {};
  if (end < log.segments.front().base) {
    restart_at(outside, end);
    return {};
  }
  // What a direct run wrote can be told from what comes to lie there only while all of it counts.
  if (const auto run = log.last_extent(); run && *run >= log.dir->ring.trim()) {
    const ReadTicket ticket = state_->blocks.promise();
    state_->trims.push_back({ticket, log.dir, *run});
    log.dir->checkpoint.want_trim(*run);
    log.dir->journal.want_sync();
    return {TruncateAnswer::Kind::need, ticket};
  }
  CutPlace place;
  const TruncateAnswer answer = state_->reader.find_cut(log, end, place);
  if (answer.kind != TruncateAnswer::Kind::done) return answer;
  apply_truncate(*log.dir, log, place);
  log.dir->journal.push(log, {.kind = EntryKind::truncate,
                              .segment = place.segment,
                              .position = place.position,
                              .base_offset = place.end,
                              .content = encode_cut(place)});
  return {};
}

void Storage::restart_at(Log& outside, Offset start) {
  LogState& log = state_of(outside);
  if (!log.dir->accepts()) return;
  apply_restart(*log.dir, log, start);
  log.dir->journal.push(log, {.kind = EntryKind::restart, .segment = start, .base_offset = start});
}

void Storage::set_high_watermark(Log& outside, Offset high_watermark) {
  LogState& log = state_of(outside);
  log.high_watermark = high_watermark;
  if (log.producers) log.producers->release_below(high_watermark);
}

// --- reading

ReadPlan Storage::plan_read(Log& log, const ReadRequest& request, std::vector<Bytes>& pieces) {
  return state_->reader.plan(state_of(log), request, pieces);
}

void Storage::unpin(PinHandle pin) {
  state_->reader.unpin(pin);
}

TimestampAnswer Storage::find_timestamp(Log& log, WallTime at_least, Offset upper_bound) {
  return state_->reader.find_timestamp(state_of(log), at_least, upper_bound);
}

TimestampAnswer Storage::max_timestamp(Log& log, Offset upper_bound) {
  return state_->reader.max_timestamp(state_of(log), upper_bound);
}

void Storage::aborted_transactions(const Log& log, Offset from, Offset upper,
                                   std::vector<AbortedTransaction>& aborted) const {
  const LogState& inside = state_of(const_cast<Log&>(log));
  if (inside.producers) inside.producers->aborted_in(from, upper, aborted);
}

// --- retention

void Storage::State::retain(LogState& log, Now now) {
  if (log.producers) {
    log.producers->expire(now.wall, producer_expiration_ms);
    if (log.producers->empty()) log.producers.reset();
  }
  note_untimed(log, now.wall);
  const RetentionPlan plan = plan_retention(log, now.wall);
  if (plan.roll) roll(log);
  const bool drops = log.segments.size() > 1 && log.segments.front().next <= plan.start;
  // A start would look for it: it goes with the next look.
  if (drops && log.dir->names_run_of(log.segments.front()))
    log.dir->checkpoint.want_trim(*log.segments.front().last_extent);
  if (plan.start <= log.start && !drops) return;
  apply_log_start(*log.dir, log, plan.start, Duration::from_ms(log.config.file_delete_delay_ms));
  log.dir->journal.push(log, {.kind = EntryKind::log_start, .base_offset = plan.start});
}

void Storage::State::retention(Now now) {
  auto at = shared.registry.logs.upper_bound(retention_running ? retention_from : LogId{});
  std::size_t looks = kRetentionSlice;
  for (; at != shared.registry.logs.end() && looks > 0; ++at, --looks) {
    LogState& log = state_of(*at->second);
    retention_from = at->first;
    if (log.configured && log.dir->accepts()) retain(log, now);
  }
  retention_running = at != shared.registry.logs.end();
  if (!retention_running) next_retention = now.monotonic + shared.options.retention_interval;
}

// --- news

std::span<Log* const> Storage::changed() const {
  return state_->shared.news.changed;
}
std::span<const ReadTicket> Storage::ready_reads() const {
  return state_->shared.news.ready;
}
std::span<const DirId> Storage::failed() const {
  return state_->shared.news.failed;
}
std::vector<std::string> Storage::take_faults() {
  return std::exchange(state_->shared.news.faults, {});
}

void Storage::clear_news() {
  News& news = state_->shared.news;
  for (Log* log : news.changed) state_of(*log).changed = false;
  news.changed.clear();
  news.ready.clear();
  news.failed.clear();
}

}  // namespace tailwater::log
