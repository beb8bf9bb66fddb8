#include "sim/committed_reader.hpp"

#include <algorithm>
#include <utility>

#include "records/batch.hpp"
#include "records/record.hpp"
#include "sim/consumer.hpp"

namespace tailwater::sim {

namespace {

constexpr int kFirstWithIsolation = 2;  // of ListOffsets
constexpr std::int8_t kReadCommitted = 1;
constexpr std::int32_t kFetchWaitMs = 300;
constexpr Duration kRetryMax = Duration::from_ms(50);
constexpr std::uint64_t kAskLatestOneIn = 10;

}  // namespace

void check_epoch(Ledger& ledger, TrackNumber track, Epochs& epochs, const records::BatchView& batch) {
  const std::int64_t producer = batch.producer_id().value;
  const std::int16_t epoch = batch.producer_epoch().value;
  std::int16_t& known = epochs.emplace(producer, epoch).first->second;
  if (epoch < known)
    ledger.fail("I10: " + ledger.name(track) + " offset " + std::to_string(batch.base_offset().value) +
                " is of epoch " + std::to_string(epoch) + " of producer " + std::to_string(producer) +
                ", behind epoch " + std::to_string(known));
  known = epoch;
}

CommittedReader::CommittedReader(Agenda& agenda, Network& network, Ledger& ledger, TxnWatch& watch,
                                 std::string name, Topic topic, const std::vector<TrackNumber>& tracks)
    : agenda_(agenda),
      ledger_(ledger),
      watch_(watch),
      topic_(std::move(topic)),
      fetching_(agenda.random(), ledger, topic_, Fetching::Sessions::perhaps),
      offsets_version_(draw_version<wire::ListOffsetsRequest>(agenda.random(), kFirstWithIsolation)),
      client_(agenda, network, std::move(name), [this] {
        fetching_.begin_anew();
        again();
      }) {
  for (const TrackNumber track : tracks) partitions_.push_back({.track = track, .floor = {}, .epochs = {}});
}

void CommittedReader::look_anew() {
  stale_ = client_.busy();
  fetching_.begin_anew();
  for (Partition& each : partitions_) each.end = -1;
}

bool CommittedReader::at_end() const {
  return std::ranges::all_of(partitions_, [](const Partition& each) {
    return each.end >= 0 && each.position == each.end && each.stable == each.end;
  });
}

std::string CommittedReader::state() const {
  std::string text = client_.name() + ":";
  for (const Partition& each : partitions_) {
    text += " " + std::to_string(each.position) + "/" + std::to_string(each.stable) + "/" +
            std::to_string(each.end);
  }
  return text;
}

void CommittedReader::again() {
  if (step_asked_) return;
  step_asked_ = true;
  agenda_.soon(kRetryMax, [this] {
    step_asked_ = false;
    step();
  });
}

void CommittedReader::step() {
  if (client_.busy() || stopped_) return;
  stale_ = false;
  if (agenda_.random().one_in(kAskLatestOneIn)) return find_latest();
  fetch();
}

void CommittedReader::find_latest() {
  std::vector<std::pair<TrackNumber, Ledger::Floor>> asked;
  for (const Partition& each : partitions_) asked.emplace_back(each.track, ledger_.floor(each.track));
  const Isolation isolation = agenda_.random().one_in(4) ? Isolation::none : Isolation::committed;
  client_.ask(offsets_version_, ask_latest(topic_.name, asked.size(), isolation),
              [this, asked, isolation](wire::ListOffsetsResponse&& response) {
                check_latest(ledger_, asked, isolation, response);
                again();
              });
}

void CommittedReader::fetch() {
  asked_ = agenda_.now();
  std::vector<FetchTarget> targets;
  for (std::size_t index = 0; index < partitions_.size(); ++index) {
    partitions_[index].floor = ledger_.floor(partitions_[index].track);
    targets.push_back({static_cast<std::int32_t>(index), partitions_[index].position, 1024 * 1024});
  }
  wire::FetchRequest request = fetching_.request(targets);
  request.max_wait_ms = kFetchWaitMs;
  request.min_bytes = 1;
  request.max_bytes = 4 * 1024 * 1024;
  request.isolation_level = kReadCommitted;
  client_.ask(fetching_.version(), request, [this](wire::FetchResponse&& response) { take(response); });
}

void CommittedReader::take(const wire::FetchResponse& response) {
  if (!fetching_.accept(response)) {
    if (stale_) look_anew();
    return again();
  }
  for (const auto& topic : response.responses) {
    for (const auto& answer : topic.partitions) {
      Partition& partition = partitions_.at(static_cast<std::size_t>(answer.partition_index));
      if (answer.error_code == wire::ErrorCode::none) {
        read(partition, answer);
        continue;
      }
      // An error says nothing of offsets, and what was said before is no answer to what was asked now.
      partition.end = -1;
      if (answer.error_code == wire::ErrorCode::corrupt_message) {
        skip(partition);
      } else if (!wire::retriable(answer.error_code)) {
        return ledger_.fail("I18: fetch refused with " + std::string(wire::name(answer.error_code)));
      }
    }
  }
  if (stable_watch_ != nullptr) {
    const Instant calm = calm_();
    // In a session nothing is said of what has not changed.
    for (const Partition& each : partitions_) {
      if (each.end >= 0)
        stable_watch_->answered(each.track, asked_, agenda_.now(), calm, each.stable, each.end);
    }
  }
  if (stale_) look_anew();
  again();
}

void CommittedReader::skip(Partition& partition) {
  const std::int64_t next = ledger_.told_damaged(partition.track, partition.position);
  for (; partition.position < next; ++partition.position) {
    if (const auto record = ledger_.known_at(partition.track, partition.position))
      watch_.told_damaged(record->first, record->second, shown_);
  }
}

void CommittedReader::read(Partition& partition, const wire::FetchResponsePartitionData& answer) {
  const std::int64_t next =
      check_fetched(ledger_, partition.track, partition.floor, partition.position, answer);
  partition.stable = answer.last_stable_offset;
  partition.end = answer.high_watermark;
  // From its first offset on, until its abort marker, a producer's records are dropped.
  std::vector<wire::FetchResponse::AbortedTransaction> ahead;
  if (answer.aborted_transactions) ahead = *answer.aborted_transactions;
  std::vector<std::int64_t> dropped;
  records::BatchCursor cursor(answer.records.value_or(Bytes{}));
  while (const auto batch = cursor.next()) {
    if (batch->last_offset().value >= answer.last_stable_offset)
      ledger_.fail("I5: records beyond the last stable offset were served");
    std::erase_if(ahead, [&](const auto& each) {
      if (each.first_offset > batch->last_offset().value) return false;
      dropped.push_back(each.producer_id);
      return true;
    });
    const std::int64_t producer = batch->producer_id().value;
    check_epoch(ledger_, partition.track, partition.epochs, *batch);
    if (batch->is_control()) {
      std::erase(dropped, producer);
    } else if (std::ranges::find(dropped, producer) == dropped.end()) {
      auto records = records::records_of(*batch);
      for (std::int64_t offset = batch->base_offset().value; const auto record = records.next(); ++offset) {
        if (offset >= partition.position) watch_.seen(record->value.value_or(Bytes{}), shown_);
      }
    }
  }
  partition.position = next;
}

}  // namespace tailwater::sim
