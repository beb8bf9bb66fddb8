#include "crash_states/life.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/check.hpp"
#include "records/batch.hpp"
#include "records/builder.hpp"
#include "records/validate.hpp"

namespace tailwater::crash_states {

namespace {

constexpr DirId kDir{0};
constexpr LeaderEpoch kEpoch{1};
constexpr int kStepsMax = 50'000;

std::string name_of(const log::LogIdentity& identity) {
  return identity.topic + "-" + std::to_string(identity.partition.value);
}

std::string text(Offset offset) {
  return std::to_string(offset.value);
}

constexpr std::uint64_t kReadTries = 50'000;

}  // namespace

log::StorageOptions small_storage() {
  log::StorageOptions options;
  options.dirs = {kDir};
  options.ring_bytes_start = options.ring_bytes_max = 256 << 10;
  options.frame_bytes_max = 16 << 10;
  options.memory_bytes = 16 << 20;
  options.cold_block_bytes = 16 << 10;
  options.flush_run_bytes = 16 << 10;
  options.direct_run_bytes = 6 << 10;
  options.retention_interval = Duration::from_ms(1'000);
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
    if (log->durable_end() > log->end_offset())
      fail(name_of(story.identity()) + " is durable beyond its end");
    story.promise(log->durable_end(), log->durable_start());
  }
}

void Life::turn() {
  storage_->clear_news();
  for (std::string& finding : storage_->take_faults()) findings_.push_back(std::move(finding));
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
}

std::string Life::unrest() const {
  const log::DirReport& report = storage_->report(kDir);
  return std::string(port_.idle() ? "idle" : "busy") + ", state " +
         std::to_string(static_cast<int>(report.state)) + " " + report.failure.message + ", deadline " +
         std::to_string(storage_->next_deadline().nanoseconds) + " of " +
         std::to_string(now_.monotonic.nanoseconds) + ", ring " + std::to_string(report.ring_used_bytes) +
         " of " + std::to_string(report.ring_bytes) + ", dirty " + std::to_string(report.dirty_bytes);
}

void Life::advance(Duration span) {
  now_.monotonic = now_.monotonic + span;
  now_.wall.ms += span.to_ms();
}

void Life::wait_for_room() {
  for (int steps = 0; storage_->held_back(kDir) && !failed(); ++steps) {
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
  const log::DirReport& report = storage_->report(kDir);
  if (report.state == log::DirState::offline) return fail("offline: " + report.failure.message);
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
}

// --- judging

bool Life::wait_for_read(std::uint64_t& tries) {
  while (storage_->ready_reads().empty()) {
    if (++tries > kReadTries) {
      fail("a read does not end");
      return false;
    }
    if (port_.idle()) {
      advance(Duration::from_ms(1));
    } else {
      storage_->completed(port_.step(), now_);
    }
    if (!storage_->ready_reads().empty()) break;
    storage_->turn(now_, effects_);
    port_.submit(effects_);
  }
  storage_->clear_news();
  return true;
}

Buffer Life::read_all(log::Log& log) {
  Buffer all;
  Offset from = log.start_offset();
  const Offset upper = log.end_offset();
  std::uint64_t tries = 0;
  while (from < upper && !failed()) {
    std::vector<Bytes> pieces;
    const log::ReadPlan plan = storage_->plan_read(log, {from, 64 << 10, upper, true}, pieces);
    if (plan.kind == log::ReadPlan::Kind::need) {
      if (!wait_for_read(tries)) break;
      continue;
    }
    if (plan.kind != log::ReadPlan::Kind::hot) {
      fail(name_of(log.identity()) + " cannot be read at " + text(from) + " of " + text(upper) + ": plan " +
           std::to_string(static_cast<int>(plan.kind)));
      break;
    }
    for (const Bytes piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
    storage_->unpin(plan.pin);
    if (plan.next <= from) {
      fail("a read gets nowhere");
      break;
    }
    from = plan.next;
  }
  return all;
}

std::string Life::producers_differ(const log::Log& log, const LogContent& content) const {
  const std::vector<log::ProducerFacts> found = log.producers();
  const std::vector<log::Producer>& wanted = content.producers.producers();
  if (found.size() != wanted.size())
    return "knows " + std::to_string(found.size()) + " producers, not " + std::to_string(wanted.size());
  for (std::size_t index = 0; index < found.size(); ++index) {
    const log::ProducerFacts& fact = found[index];
    const log::Producer& producer = wanted[index];
    const log::ProducerBatch* newest = producer.newest();
    const std::int32_t sequence = newest == nullptr ? -1 : newest->last_sequence;
    if (fact.id != producer.id || fact.epoch != producer.epoch || fact.last_sequence != sequence ||
        fact.coordinator_epoch != producer.coordinator_epoch ||
        fact.transaction_first != producer.transaction_first) {
      return "producer " + std::to_string(producer.id.value) + " is at sequence " +
             std::to_string(fact.last_sequence) + " with a transaction from " + text(fact.transaction_first) +
             ", not at " + std::to_string(sequence) + " and " + text(producer.transaction_first);
    }
  }
  return {};
}

std::string Life::differs(log::Log& log, const Buffer& bytes, const LogContent& content) const {
  if (content.end != log.end_offset() || content.start != log.start_offset()) return "other offsets";
  if (content.bytes() != bytes) return "other bytes than were appended";
  if (std::string producers = producers_differ(log, content); !producers.empty()) return producers;
  std::vector<log::AbortedTransaction> found, wanted;
  storage_->aborted_transactions(log, content.start, content.end, found);
  content.producers.aborted_in(content.start, content.end, wanted);
  if (found != wanted)
    return "names " + std::to_string(found.size()) + " aborted transactions, not " +
           std::to_string(wanted.size());
  return {};
}

void Life::judge_log(log::Log& log, Story& story) {
  const std::string name = name_of(story.identity());
  if (log.identity() != story.identity()) return fail(name + " is another log");
  if (log.durable_end() != log.end_offset()) return fail(name + " is not durable after a start");
  if (log.start_offset() < story.promised_start())
    return fail(name + " begins at " + text(log.start_offset()) + " again, though " +
                text(story.promised_start()) + " was promised");
  const Buffer bytes = read_all(log);
  if (failed()) return;
  std::string nearest = "no beginning of what was done ends there";
  for (std::size_t count = story.changes().size() + 1; count-- > story.promised();) {
    const LogContent content(story.changes(), count);
    const std::string difference = differs(log, bytes, content);
    if (difference.empty()) return story.settle(count);
    if (difference != "other offsets") nearest = difference;
  }
  const LogContent promised(story.changes(), story.promised());
  fail(name + " has offsets " + text(log.start_offset()) + " to " + text(log.end_offset()) +
       "; promised were " + text(promised.start) + " to " + text(promised.end) + ", all of it ends at " +
       text(story.end()) + ": " + nearest + story.text());
}

void Life::judge() {
  if (failed()) return;
  for (log::Log* log : storage_->logs()) {
    if (!ledger_.contains(log->id())) return fail(name_of(log->identity()) + " was never created");
  }
  for (auto at = ledger_.begin(); at != ledger_.end() && !failed();) {
    Story& story = at->second;
    log::Log* log = storage_->find(at->first);
    if (log == nullptr) {
      if (!story.removed() && story.promised() > 0) fail(name_of(story.identity()) + " is lost");
      at = ledger_.erase(at);
      continue;
    }
    judge_log(*log, story);
    ++at;
  }
  judged_ = true;
}

void Life::repeat_and_go_on(log::Log& log) {
  Story& story = ledger_.at(log.id());
  const LogContent content(story.changes(), story.changes().size());
  for (const log::Producer& producer : content.producers.producers()) {
    const log::ProducerBatch* newest = producer.newest();
    if (newest == nullptr) continue;
    const auto last = std::ranges::find_if(
        content.batches, [&](const Change* batch) { return batch->last == newest->last_offset; });
    if (last == content.batches.end()) continue;
    Buffer again = *(*last)->bytes;
    records::set_base_offset(again, Offset{0});
    records::set_leader_epoch(again, LeaderEpoch{-1});
    const auto info = records::validate_for_produce(again, {}, now_.wall);
    if (!info) continue;  // a marker
    const auto answer = storage_->append(log, again, *info, {.epoch = kEpoch}, now_);
    if (!answer || !answer->duplicate || answer->base != (*last)->base)
      return fail(name_of(log.identity()) + " takes a repeated batch of producer " +
                  std::to_string(producer.id.value) + " as a new one");
    NewBatch gap{.producer = producer.id, .sequence = records::sequence_after(newest->last_sequence, 3)};
    const Buffer early = make(gap, now_.wall.ms);
    const auto gap_info = records::validate_for_produce(early, {}, now_.wall);
    if (storage_->append(log, early, *gap_info, {.epoch = kEpoch}, now_))
      return fail(name_of(log.identity()) + " takes a batch before the one that it follows");
  }
  append(log, {.value_size = 100, .count = 2});
}

void Life::prove_use() {
  if (failed()) return;
  for (log::Log* log : storage_->logs()) {
    wait_for_room();
    repeat_and_go_on(*log);
    if (failed()) return;
  }
  settle();
  for (log::Log* log : storage_->logs()) {
    if (failed()) return;
    if (log->durable_end() != log->end_offset())
      return fail(name_of(log->identity()) + " does not become durable");
    const Story& story = ledger_.at(log->id());
    const LogContent content(story.changes(), story.changes().size());
    const Buffer bytes = read_all(*log);
    if (const std::string difference = differs(*log, bytes, content); !failed() && !difference.empty())
      return fail(name_of(log->identity()) + " after new appends: " + difference);
  }
  if (setup_.lie == Lie::none && !port_.complaints().empty()) fail(port_.complaints().front());
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
  for (std::int32_t each = 0; each < batch.count; ++each)
    CHECK(builder.add(timestamp + each, std::nullopt, as_bytes(value)));
  Buffer out;
  CHECK(builder.finish(out).has_value());
  return out;
}

void Life::create(const std::string& topic, const log::LogConfig& config) {
  Prng ids(setup_.storage.seed * 1'000 + ledger_.size() + points_);
  const auto log = storage_->create({LogId{}, ids.uuid(), topic, PartitionId{0}, kDir}, config);
  if (!log) return fail("cannot create " + topic + ": " + log.error().message);
  ledger_.emplace((*log)->id(), Story((*log)->identity(), config));
}

std::int32_t Life::next_sequence(const log::Log& log, ProducerId producer) const {
  const auto facts = log.producer(producer);
  return facts && facts->last_sequence >= 0 ? records::sequence_after(facts->last_sequence, 1) : 0;
}

void Life::append(log::Log& log, const NewBatch& wanted) {
  Buffer batch = make(wanted, now_.wall.ms);
  const auto info = records::validate_for_produce(batch, {}, now_.wall);
  CHECK(info.has_value());
  auto appended = storage_->append(log, batch, *info, {.epoch = kEpoch}, now_);
  // Now and then the ring grows for a batch.
  if (!appended && appended.error() == log::AppendRefusal::held_back) {
    wait_for_room();
    if (failed()) return;
    appended = storage_->append(log, batch, *info, {.epoch = kEpoch}, now_);
  }
  if (!appended)
    return fail(name_of(log.identity()) +
                " refuses a batch: " + std::to_string(static_cast<int>(appended.error())));
  Story& story = ledger_.at(log.id());
  if (appended->duplicate || appended->base != story.end())
    return fail(name_of(log.identity()) + " gives a new batch offset " + text(appended->base) + ", not " +
                text(story.end()));
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
  if (!appended) return fail(name_of(log.identity()) + " refuses a marker");
  records::set_base_offset(batch, appended->base);
  records::set_leader_epoch(batch, kEpoch);
  ledger_.at(log.id()).append(appended->base, appended->last, std::move(batch));
}

void Life::truncate(log::Log& log, Offset end) {
  std::uint64_t tries = 0;
  log::TruncateAnswer answer = storage_->truncate(log, end);
  while (answer.kind == log::TruncateAnswer::Kind::need && wait_for_read(tries))
    answer = storage_->truncate(log, end);
  if (answer.kind != log::TruncateAnswer::Kind::done)
    return fail(name_of(log.identity()) + " cannot be truncated");
  ledger_.at(log.id()).truncate(end);
}

void Life::set_start(log::Log& log, Offset start) {
  storage_->set_log_start(log, start);
  ledger_.at(log.id()).start_at(start);
}

void Life::remove(log::Log& log) {
  ledger_.at(log.id()).remove();
  storage_->remove(log.id());
}

}  // namespace tailwater::crash_states
