#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "crash_states/keyed.hpp"
#include "crash_states/life.hpp"
#include "records/batch.hpp"
#include "records/validate.hpp"

namespace tailwater::crash_states {

namespace {

constexpr std::uint64_t kReadTries = 50'000;
// Longer than whatever a start found is kept for.
constexpr Duration kLong = Duration::from_ms(61'000);

std::string text(Offset offset) {
  return std::to_string(offset.value);
}

}  // namespace

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
    // Of a compacted log it is known only now that nothing is left behind a gap.
    if (plan.kind == log::ReadPlan::Kind::at_end && log.config().compact) break;
    if (plan.kind != log::ReadPlan::Kind::hot) {
      std::string why = ": plan " + std::to_string(static_cast<int>(plan.kind));
      for (const std::string& fault : storage_->take_faults()) why += "; " + fault;
      fail(ledger_.at(log.id()).name() + " cannot be read at " + text(from) + " of " + text(upper) + why);
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
  if (log.config().compact) {
    std::vector<log::AbortedTransaction> aborted;
    storage_->aborted_transactions(log, content.start, content.end, aborted);
    const Story& story = ledger_.at(log.id());
    if (std::string fault = compaction_fault({bytes, content, story.gone(), aborted}); !fault.empty())
      return fault;
    return producers_differ(log, content);
  }
  if (content.bytes() != bytes) return "other bytes than were appended";
  if (std::string producers = producers_differ(log, content); !producers.empty()) return producers;
  return transactions_differ(log, content);
}

std::string Life::transactions_differ(log::Log& log, const LogContent& content) const {
  std::vector<log::AbortedTransaction> found, wanted;
  storage_->aborted_transactions(log, content.start, content.end, found);
  content.producers.aborted_in(content.start, content.end, wanted);
  if (found != wanted)
    return "names " + std::to_string(found.size()) + " aborted transactions, not " +
           std::to_string(wanted.size());
  return {};
}

void Life::judge_log(log::Log& log, Story& story, End before) {
  const std::string name = story.name();
  if (log.identity() != story.identity()) return fail(name + " is another log");
  if (log.durable_end() != log.end_offset()) return fail(name + " is not durable after a start");
  if (log.start_offset() < story.promised_start())
    return fail(name + " begins at " + text(log.start_offset()) + " again, though " +
                text(story.promised_start()) + " was promised");
  const Buffer bytes = read_all(log);
  if (failed()) return;
  std::string nearest = "no beginning of what was done ends there";
  const std::size_t least = before == End::power_lost ? story.promised() : story.acknowledged();
  for (std::size_t count = story.changes().size() + 1; count-- > least;) {
    const LogContent content(story.changes(), count);
    const std::string difference = differs(log, bytes, content);
    if (difference.empty()) {
      if (count < story.acknowledged() && !loss_told_)
        return fail(name + " has lost acknowledged records, and nobody says so" + story.text());
      return story.settle(count);
    }
    if (difference != "other offsets") nearest = difference;
  }
  const LogContent promised(story.changes(), least);
  fail(name + " has offsets " + text(log.start_offset()) + " to " + text(log.end_offset()) +
       "; promised were " + text(promised.start) + " to " + text(promised.end) + ", all of it ends at " +
       text(story.end()) + ": " + nearest + story.text());
}

void Life::judge(End before) {
  if (failed()) return;
  std::set<std::tuple<DirId, std::string, PartitionId>> folders;
  for (log::Log* log : storage_->logs()) {
    const log::LogIdentity& identity = log->identity();
    if (!ledger_.contains(log->id())) return fail("a log of " + identity.topic + " was never created");
    if (!folders.insert({identity.dir, identity.topic, identity.partition}).second)
      return fail("two logs have the folder of " + identity.topic);
  }
  for (auto at = ledger_.begin(); at != ledger_.end() && !failed();) {
    Story& story = at->second;
    if (!online(story.identity().dir)) {
      ++at;
      continue;
    }
    log::Log* log = storage_->find(at->first);
    if (log == nullptr) {
      const std::size_t least = before == End::power_lost ? story.promised() : story.acknowledged();
      const bool needed = story.presence_promised() || least > 0;
      if (!story.removed() && needed) fail(story.name() + " is lost" + story.text());
      at = ledger_.erase(at);
      continue;
    }
    if (story.removal_promised()) return fail(story.name() + " is back, although its removal was over");
    judge_log(*log, story, before);
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
      return fail(ledger_.at(log.id()).name() + " takes a repeated batch of producer " +
                  std::to_string(producer.id.value) + " as a new one");
    NewBatch gap{.producer = producer.id, .sequence = records::sequence_after(newest->last_sequence, 3)};
    const Buffer early = make(gap, now_.wall.ms);
    const auto gap_info = records::validate_for_produce(early, {}, now_.wall);
    if (storage_->append(log, early, *gap_info, {.epoch = kEpoch}, now_))
      return fail(ledger_.at(log.id()).name() + " takes a batch before the one that it follows");
  }
  append(log, {.value_size = 100, .count = 2});
}

void Life::prove_use() {
  if (failed()) return;
  for (log::Log* log : storage_->logs()) {
    wait_for_room(log->identity().dir);
    repeat_and_go_on(*log);
    if (failed()) return;
  }
  settle();
  for (log::Log* log : storage_->logs()) {
    if (failed()) return;
    if (log->durable_end() != log->end_offset())
      return fail(ledger_.at(log->id()).name() + " does not become durable");
    const Story& story = ledger_.at(log->id());
    const LogContent content(story.changes(), story.changes().size());
    const Buffer bytes = read_all(*log);
    if (const std::string difference = differs(*log, bytes, content); !failed() && !difference.empty())
      return fail(ledger_.at(log->id()).name() + " after new appends: " + difference);
  }
  if (setup_.lie == Lie::none && !port_.complaints().empty()) fail(port_.complaints().front());
}

void Life::prove_tidy() {
  if (failed()) return;
  advance(kLong);
  settle();
  std::set<std::string> folders;
  for (const log::Log* log : storage_->logs()) {
    const Story& story = ledger_.at(log->id());
    folders.insert(disk_model::Disk::full_path(story.identity().dir, story.name()));
  }
  for (const auto& [path, file] : port_.disk().files()) {
    const std::string folder = path.substr(0, path.rfind('/'));
    if (folder.ends_with("/journal") || folder.ends_with("/manifest")) continue;
    if (folder.ends_with("/recycled")) {
      if (path.ends_with(".blank") && !file->blank()) return fail(path + " is not blank");
      continue;
    }
    if (!folders.contains(folder) || path.ends_with(".cleaned")) return fail(path + " is left over");
  }
}

}  // namespace tailwater::crash_states
