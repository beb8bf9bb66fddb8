#include "crash_states/keyed.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "records/batch.hpp"
#include "records/control.hpp"
#include "records/record.hpp"

namespace tailwater::crash_states {

namespace {

using records::BatchView;

struct Record {
  std::string key;
  std::optional<std::string> value;
  std::int64_t timestamp = 0;
  Offset batch;  // where its batch begins
  friend bool operator==(const Record&, const Record&) = default;
};

std::string text(Offset offset) {
  return std::to_string(offset.value);
}

// False if the bytes are no records. Nothing here is compressed.
template <class Each>
bool for_each_record(const BatchView& batch, Each each) {
  records::RecordCursor cursor(batch.records(), batch.records_count());
  while (const auto record = cursor.next()) each(records::offset_of(batch, *record), *record);
  return !cursor.fault();
}

Record record_of(const BatchView& batch, const records::RecordView& record) {
  Record made;
  if (record.key) made.key = as_text(*record.key);
  if (record.value) made.value = std::string(as_text(*record.value));
  made.timestamp = records::timestamp_of(batch, record);
  made.batch = batch.base_offset();
  return made;
}

bool same_but_for_records(const BatchView& one, const BatchView& other) {
  return one.last_offset() == other.last_offset() && one.producer_id() == other.producer_id() &&
         one.producer_epoch() == other.producer_epoch() && one.base_sequence() == other.base_sequence() &&
         one.leader_epoch() == other.leader_epoch() && one.is_transactional() == other.is_transactional() &&
         one.is_control() == other.is_control();
}

class Check {
 public:
  explicit Check(const Compacted& log) : log_(log), aborted_(log.aborted.begin(), log.aborted.end()) {
    std::ranges::sort(aborted_, {}, &log::AbortedTransaction::first_offset);
    for (const Change* change : log.content.batches) learn(BatchView(*change->bytes));
  }

  std::string run() {
    records::BatchCursor batches(log_.found);
    Offset before{-1};
    while (const auto batch = batches.next()) {
      if (batch->base_offset() <= before)
        return "the batch at " + text(before) + " is followed by an older one";
      before = batch->last_offset();
      if (std::string fault = look(*batch); !fault.empty()) return fault;
    }
    if (batches.fault()) return "there is something that is no batch";
    return missing();
  }

 private:
  void learn(const BatchView& batch) {
    batches_.emplace(batch.base_offset(), batch);
    if (batch.is_control()) {
      const auto marker = records::read_end_marker(batch);
      const std::vector<Offset> ended = std::exchange(open_[batch.producer_id()], {});
      for (const Offset base : ended) {
        if (marker) outcomes_[base] = marker->type;
      }
      return;
    }
    if (batch.is_transactional()) open_[batch.producer_id()].push_back(batch.base_offset());
    for_each_record(batch, [&](Offset offset, const records::RecordView& record) {
      written_.emplace(offset, record_of(batch, record));
    });
  }

  std::string look(const BatchView& batch) {
    const auto original = batches_.find(batch.base_offset());
    if (original == batches_.end() || !same_but_for_records(batch, original->second) || !batch.crc_matches())
      return "nobody wrote the batch at " + text(batch.base_offset());
    // As a client with isolation.level=read_committed does it.
    for (; next_aborted_ < aborted_.size() && aborted_[next_aborted_].first_offset <= batch.last_offset();
         ++next_aborted_)
      aborting_.insert(aborted_[next_aborted_].producer_id);
    if (batch.is_control()) {
      const auto marker = records::read_end_marker(batch);
      if (marker && marker->type == records::ControlType::abort) aborting_.erase(batch.producer_id());
    }
    const bool hidden = batch.is_transactional() && aborting_.contains(batch.producer_id());
    std::string fault;
    const bool sound = for_each_record(batch, [&](Offset offset, const records::RecordView& record) {
      if (!fault.empty()) return;
      if (log_.gone.contains(offset)) fault = "the record at " + text(offset) + " was gone and is back";
      if (!batch.is_control() && fault.empty()) fault = look(offset, record_of(batch, record), hidden);
    });
    return sound ? fault : "the batch at " + text(batch.base_offset()) + " has no sound records";
  }

  std::string look(Offset offset, const Record& record, bool hidden) {
    const auto original = written_.find(offset);
    if (original == written_.end() || original->second != record)
      return "nobody wrote the record at " + text(offset);
    if (offset < log_.content.start) return {};
    present_.insert(offset);
    const auto outcome = outcome_of(record);
    if (outcome == records::ControlType::abort && !hidden)
      return "the aborted record at " + text(offset) + " can be seen";
    if (outcome == records::ControlType::commit) {
      if (hidden) return "the committed record at " + text(offset) + " cannot be seen";
      seen_[record.key] = offset;
    }
    return {};
  }

  // Nothing: its transaction is open. What is not transactional is as good as committed.
  std::optional<records::ControlType> outcome_of(const Record& record) const {
    if (!batches_.at(record.batch).is_transactional()) return records::ControlType::commit;
    const auto outcome = outcomes_.find(record.batch);
    return outcome == outcomes_.end() ? std::nullopt : std::optional(outcome->second);
  }

  std::string missing() const {
    std::map<std::string, Offset> newest;
    for (const auto& [offset, record] : written_) {
      if (offset < log_.content.start) continue;
      const auto outcome = outcome_of(record);
      if (outcome == records::ControlType::commit) newest[record.key] = offset;
      if (!outcome && !present_.contains(offset))
        return "the record at " + text(offset) + " of an open transaction is lost";
    }
    for (const auto& [key, offset] : newest) {
      const auto found = seen_.find(key);
      if (found != seen_.end() && found->second == offset) continue;
      if (written_.at(offset).value) return key + " of " + text(offset) + " is lost";
      if (found != seen_.end())
        return key + ", which was deleted at " + text(offset) + ", is back with that of " +
               text(found->second);
    }
    return {};
  }

  const Compacted& log_;
  std::vector<log::AbortedTransaction> aborted_;
  std::size_t next_aborted_ = 0;
  std::set<ProducerId> aborting_;
  std::map<Offset, BatchView> batches_;  // as they were written
  std::map<Offset, Record> written_;
  std::map<ProducerId, std::vector<Offset>> open_;
  std::map<Offset, records::ControlType> outcomes_;  // of transactional batches
  std::set<Offset> present_;
  std::map<std::string, Offset> seen_;  // the newest one that a client is shown, by key
};

}  // namespace

std::string compaction_fault(const Compacted& log) {
  return Check(log).run();
}

std::set<Offset> offsets_in(const Buffer& bytes) {
  std::set<Offset> all;
  records::BatchCursor batches(bytes);
  while (const auto batch = batches.next()) {
    for_each_record(*batch, [&](Offset offset, const records::RecordView&) { all.insert(offset); });
  }
  return all;
}

}  // namespace tailwater::crash_states
