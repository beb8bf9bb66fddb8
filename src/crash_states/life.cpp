#include "crash_states/life.hpp"

#include <optional>
#include <utility>

#include "base/check.hpp"
#include "crash_states/keyed.hpp"
#include "records/batch.hpp"
#include "records/builder.hpp"
#include "records/validate.hpp"

namespace tailwater::crash_states {

namespace {

constexpr int kStepsMax = 50'000;

}  // namespace

log::StorageOptions small_storage() {
  log::StorageOptions options;
  options.dirs = {DirId{0}};
  options.ring_bytes_start = options.ring_bytes_max = 256 << 10;
  options.frame_bytes_max = 16 << 10;
  options.memory_bytes = 16 << 20;
  options.cold_block_bytes = 16 << 10;
  options.flush_run_bytes = 16 << 10;
  options.direct_run_bytes = 6 << 10;
  options.retention_interval = Duration::from_ms(1'000);
  options.compaction_interval = Duration::from_ms(300);
  options.compaction_bytes_per_second = std::uint64_t{1} << 60;  // time passes in large steps here
  options.boot_id = {1, 1};
  options.recycle_bytes = 24 << 10;
  return options;
}

Life::Life(const Setup& setup, std::unique_ptr<disk_model::Disk> disk, Ledger ledger, Now now,
           std::uint64_t seed)
    : setup_(setup),
      port_(std::move(disk), setup.mode, setup.lie, seed),
      ledger_(std::move(ledger)),
      now_(now) {
  setup_.storage.seed = seed;
}

void Life::fail(std::string what) {
  if (failure_.empty()) failure_ = std::move(what);
}

// --- steps

void Life::point() {
  ++points_;
  note_promises();
  if (at_point) at_point();
}

void Life::note_promises() {
  if (!judged_) return;
  for (auto& [id, story] : ledger_) {
    const log::Log* log = storage_->find(id);
    if (log == nullptr || story.removed()) continue;
    story.start_at(log->start_offset());
    if (log->durable_end() > log->end_offset()) fail(story.name() + " is durable beyond its end");
    story.acknowledge(log->durable_end(), log->durable_start(), now_.monotonic);
  }
}

// Nothing is under way: what is so now stays so. What still waits for room does not count.
void Life::note_rest() {
  if (!judged_) return;
  for (auto& [id, story] : ledger_) {
    const DirId dir = story.identity().dir;
    if (!online(dir) || storage_->held_back(dir)) continue;
    story.rest(now_.monotonic);
    log::Log* log = storage_->find(id);
    if (log == nullptr || !log->config().compact) continue;
    const Offset end = log->end_offset();
    story.note_left(offsets_in(read_all(*log)), end);
  }
}

void Life::take_findings() {
  for (std::string& finding : storage_->take_faults()) {
    if (finding.starts_with("the machine went down")) {
      loss_told_ = true;
    } else {
      findings_.push_back(std::move(finding));
    }
  }
}

void Life::turn() {
  storage_->clear_news();
  take_findings();
  storage_->turn(now_, effects_);
  port_.submit(effects_);
  point();
}

void Life::complete_or_wait() {
  if (port_.idle()) {
    advance(Duration::from_ms(1));
  } else {
    storage_->completed(port_.step(), now_);
    point();
  }
}

void Life::step() {
  if (!port_.idle()) complete_or_wait();
  turn();
}

void Life::settle() {
  turn();
  for (int steps = 0; !failed() && (!port_.idle() || storage_->next_deadline() <= now_.monotonic); ++steps) {
    if (steps > kStepsMax) return fail("the storage does not come to rest: " + unrest());
    step();
  }
  if (!failed()) note_rest();
}

std::string Life::unrest() const {
  std::string all = std::string(port_.idle() ? "idle" : "busy") + ", deadline " +
                    std::to_string(storage_->next_deadline().nanoseconds) + " of " +
                    std::to_string(now_.monotonic.nanoseconds);
  for (const DirId dir : setup_.storage.dirs) {
    const log::DirReport& report = storage_->report(dir);
    all += ", state " + std::to_string(static_cast<int>(report.state)) + " " + report.failure.message +
           ", ring " + std::to_string(report.ring_used_bytes) + " of " + std::to_string(report.ring_bytes) +
           ", dirty " + std::to_string(report.dirty_bytes);
  }
  return all;
}

void Life::advance(Duration span) {
  now_.monotonic = now_.monotonic + span;
  now_.wall.ms += span.to_ms();
}

void Life::wait_for_room(DirId dir) {
  for (int steps = 0; storage_->held_back(dir) && !failed(); ++steps) {
    if (steps > kStepsMax) return fail("held back for ever");
    complete_or_wait();
    turn();
  }
}

void Life::start() {
  storage_ = std::make_unique<log::Storage>(setup_.storage);
  storage_->start(now_, effects_);
  port_.submit(effects_);
  point();
  for (int steps = 0; !storage_->recovered(); ++steps) {
    if (steps > kStepsMax) return fail("the start does not end");
    complete_or_wait();
    turn();
  }
  take_findings();
  for (const DirId dir : setup_.storage.dirs) {
    if (online(dir) || port_.is_broken(dir)) continue;
    return fail("directory " + std::to_string(dir.value) +
                " is offline: " + storage_->report(dir).failure.message);
  }
  for (auto& [id, story] : ledger_) {
    if (log::Log* log = storage_->find(id)) storage_->set_config(*log, story.config());
  }
}

void Life::stop() {
  storage_->stop();
  for (int steps = 0; !storage_->stopped(); ++steps) {
    if (steps > kStepsMax) return fail("the stop does not end");
    complete_or_wait();
    turn();
  }
  for (auto& [id, story] : ledger_) {
    if (online(story.identity().dir)) story.stopped();
  }
}

// --- work

Buffer Life::make(const NewBatch& batch, std::int64_t timestamp) {
  records::BatchOptions options;
  options.producer_id = batch.producer;
  options.producer_epoch = batch.producer.value >= 0 ? ProducerEpoch{0} : ProducerEpoch{-1};
  options.base_sequence = batch.sequence;
  options.transactional = batch.transactional;
  records::BatchBuilder builder(options);
  const std::string value(batch.value_size, static_cast<char>('a' + timestamp % 26));
  for (std::int32_t each = 0; each < batch.count; ++each) {
    const Key* key =
        batch.keys.empty() ? nullptr : &batch.keys[static_cast<std::size_t>(each) % batch.keys.size()];
    const bool deleted = key != nullptr && key->deleted;
    CHECK(builder.add(timestamp + each, key == nullptr ? std::nullopt : std::optional(as_bytes(key->name)),
                      deleted ? std::nullopt : std::optional(as_bytes(value))));
  }
  Buffer out;
  CHECK(builder.finish(out).has_value());
  return out;
}

void Life::create(const std::string& topic, const log::LogConfig& config, DirId dir) {
  Prng ids(setup_.storage.seed * 1'000 + ledger_.size() + points_);
  const auto log = storage_->create({LogId{}, ids.uuid(), topic, PartitionId{0}, dir}, config);
  if (!log && !online(dir)) return;
  if (!log) return fail("cannot create " + topic + ": " + log.error().message);
  ledger_.emplace((*log)->id(), Story((*log)->identity(), config));
}

std::int32_t Life::next_sequence(const log::Log& log, ProducerId producer) const {
  const auto facts = log.producer(producer);
  return facts && facts->last_sequence >= 0 ? records::sequence_after(facts->last_sequence, 1) : 0;
}

void Life::append(log::Log& log, const NewBatch& wanted_batch) {
  NewBatch wanted = wanted_batch;
  if (log.config().compact && wanted.keys.empty()) wanted.keys = {{.name = "k0"}};
  Buffer batch = make(wanted, now_.wall.ms);
  const auto info = records::validate_for_produce(batch, {}, now_.wall);
  CHECK(info.has_value());
  auto appended = storage_->append(log, batch, *info, {.epoch = kEpoch}, now_);
  // Now and then the ring grows for a batch.
  if (!appended && appended.error() == log::AppendRefusal::held_back) {
    wait_for_room(log.identity().dir);
    if (failed()) return;
    appended = storage_->append(log, batch, *info, {.epoch = kEpoch}, now_);
  }
  if (!appended && !online(log)) return;
  if (!appended)
    return fail(ledger_.at(log.id()).name() +
                " refuses a batch: " + std::to_string(static_cast<int>(appended.error())));
  Story& story = ledger_.at(log.id());
  if (appended->duplicate || appended->base != story.end())
    return fail(story.name() + " gives a new batch offset " + std::to_string(appended->base.value) +
                ", not " + std::to_string(story.end().value));
  records::set_base_offset(batch, appended->base);
  records::set_leader_epoch(batch, kEpoch);
  story.append(appended->base, appended->last, std::move(batch));
}

void Life::end_transaction(log::Log& log, ProducerId producer, records::ControlType type) {
  Buffer batch;
  records::append_end_marker(
      {.type = type, .producer_id = producer, .producer_epoch = ProducerEpoch{0}, .coordinator_epoch = 1},
      now_.wall, batch);
  records::BatchInfo info;
  info.size = batch.size();
  info.records_count = 1;
  info.producer_id = producer;
  info.producer_epoch = ProducerEpoch{0};
  info.transactional = true;
  info.first_timestamp = info.max_timestamp = records::BatchView(batch).max_timestamp();
  const auto appended =
      storage_->append(log, batch, info, {.epoch = kEpoch, .origin = log::Origin::broker}, now_);
  if (!appended && !online(log)) return;
  if (!appended) return fail(ledger_.at(log.id()).name() + " refuses a marker");
  records::set_base_offset(batch, appended->base);
  records::set_leader_epoch(batch, kEpoch);
  ledger_.at(log.id()).append(appended->base, appended->last, std::move(batch));
}

void Life::truncate(log::Log& log, Offset end) {
  std::uint64_t tries = 0;
  log::TruncateAnswer answer = storage_->truncate(log, end);
  while (answer.kind == log::TruncateAnswer::Kind::need && wait_for_read(tries))
    answer = storage_->truncate(log, end);
  if (!online(log)) return;
  if (answer.kind != log::TruncateAnswer::Kind::done)
    return fail(ledger_.at(log.id()).name() + " cannot be truncated");
  ledger_.at(log.id()).truncate(end);
}

void Life::set_start(log::Log& log, Offset start) {
  storage_->set_log_start(log, start);
  ledger_.at(log.id()).start_at(log.start_offset());
}

void Life::remove(log::Log& log) {
  ledger_.at(log.id()).remove();
  storage_->remove(log.id());
}

}  // namespace tailwater::crash_states
