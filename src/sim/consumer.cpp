#include "sim/consumer.hpp"

#include <algorithm>

#include "records/batch.hpp"
#include "records/record.hpp"

namespace tailwater::sim {

namespace {

constexpr int kFirstWithIsolation = 2;  // of ListOffsets
constexpr std::int64_t kEarliest = -2;
constexpr std::int64_t kLatest = -1;
constexpr std::uint64_t kAskLatestOneIn = 10;
constexpr std::int32_t kFetchWaitMs = 500;
constexpr Duration kRetryMax = Duration::from_ms(50);

}  // namespace

std::int64_t check_fetched(Ledger& ledger, TrackNumber track, Ledger::Floor floor, std::int64_t position,
                           const wire::FetchResponsePartitionData& answer) {
  ledger.watermarks(track, floor, answer.log_start_offset, answer.last_stable_offset, answer.high_watermark);
  records::BatchCursor cursor(answer.records.value_or(Bytes{}));
  std::int64_t next = position;
  while (const auto batch = cursor.next()) {
    const std::int64_t base = batch->base_offset().value;
    if (!batch->crc_matches()) ledger.fail("S6: a batch with a wrong CRC was served");
    const bool first = next == position;
    if (first ? base > position : base != next) {
      ledger.fail("I7: " + ledger.name(track) + ": offset " + std::to_string(next) + " was skipped for " +
                  std::to_string(base));
    }
    if (batch->last_offset().value >= answer.high_watermark)
      ledger.fail("I12: records beyond the high watermark were served");
    auto records = records::records_of(*batch);
    std::int64_t offset = base;
    for (; const auto record = records.next(); ++offset) {
      if (batch->is_control()) {
        ledger.marker_seen(track, offset);
      } else {
        ledger.seen(track, offset, record->value.value_or(Bytes{}));
      }
    }
    if (offset != batch->last_offset().value + 1) ledger.fail("S6: a batch with another number of records");
    next = offset;
  }
  return next;
}

Consumer::Consumer(Agenda& agenda, Network& network, Ledger& ledger, std::string name, Topic topic,
                   std::vector<TrackNumber> tracks, Until until)
    : agenda_(agenda),
      ledger_(ledger),
      topic_(std::move(topic)),
      until_(until),
      fetching_(agenda.random(), ledger, topic_,
                until == Until::end ? Fetching::Sessions::never : Fetching::Sessions::perhaps),
      offsets_version_(draw_version<wire::ListOffsetsRequest>(agenda.random())),
      client_(agenda, network, std::move(name), [this] {
        fetching_.begin_anew();
        again();
      }) {
  for (const TrackNumber track : tracks) partitions_.push_back({.track = track, .floor = {}});
}

std::string Consumer::state() const {
  std::string text = client_.name() + " at";
  for (const Partition& partition : partitions_)
    text += " " + std::to_string(partition.position) + (partition.at_end ? " (end)" : "");
  return text;
}

void Consumer::again() {
  if (step_asked_) return;
  step_asked_ = true;
  agenda_.soon(kRetryMax, [this] {
    step_asked_ = false;
    step();
  });
}

void Consumer::step() {
  if (client_.busy() || stopped_ || done_) return;
  if (std::ranges::any_of(partitions_, &Partition::lost)) return find_starts();
  if (until_ == Until::end && std::ranges::all_of(partitions_, &Partition::at_end)) {
    done_ = true;
    return;
  }
  if (until_ == Until::stopped && agenda_.random().one_in(kAskLatestOneIn)) return find_latest();
  fetch();
}

void Consumer::find_latest() {
  std::vector<std::pair<TrackNumber, Ledger::Floor>> asked;
  for (const Partition& each : partitions_) asked.emplace_back(each.track, ledger_.floor(each.track));
  const bool committed = agenda_.random().one_in(4) && offsets_version_ >= kFirstWithIsolation;
  const Isolation isolation = committed ? Isolation::committed : Isolation::none;
  client_.ask(offsets_version_, ask_latest(topic_.name, asked.size(), isolation),
              [this, asked, isolation](wire::ListOffsetsResponse&& response) {
                check_latest(ledger_, asked, isolation, response);
                again();
              });
}

void Consumer::fetch() {
  std::vector<FetchTarget> targets;
  for (std::size_t index = 0; index < partitions_.size(); ++index) {
    Partition& partition = partitions_[index];
    if (partition.at_end && until_ == Until::end) continue;
    partition.floor = ledger_.floor(partition.track);
    targets.push_back({static_cast<std::int32_t>(index), partition.position, 1024 * 1024});
  }
  wire::FetchRequest request = fetching_.request(targets);
  request.max_wait_ms = until_ == Until::end ? 0 : kFetchWaitMs;
  request.min_bytes = 1;
  request.max_bytes = 4 * 1024 * 1024;
  client_.ask(fetching_.version(), request, [this](wire::FetchResponse&& response) { take(response); });
}

void Consumer::take(const wire::FetchResponse& response) {
  if (!fetching_.accept(response)) return again();
  for (const auto& topic : response.responses) {
    for (const auto& answer : topic.partitions) {
      Partition& partition = partitions_.at(static_cast<std::size_t>(answer.partition_index));
      if (answer.error_code == wire::ErrorCode::offset_out_of_range) {
        ledger_.out_of_range(partition.track, partition.position);
        partition.lost = true;
        continue;
      }
      if (answer.error_code == wire::ErrorCode::corrupt_message) {
        partition.position = ledger_.told_damaged(partition.track, partition.position);
        continue;
      }
      if (answer.error_code != wire::ErrorCode::none) {
        if (wire::retriable(answer.error_code)) continue;
        return ledger_.fail("I18: fetch refused with " + std::string(wire::name(answer.error_code)));
      }
      partition.position =
          check_fetched(ledger_, partition.track, partition.floor, partition.position, answer);
      partition.at_end = partition.position >= answer.high_watermark;
    }
  }
  again();
}

wire::ListOffsetsRequest ask_starts(const std::string& topic, const std::vector<std::int32_t>& partitions) {
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  auto& asked = request.topics.emplace_back();
  asked.name = topic;
  for (const std::int32_t partition : partitions)
    asked.partitions.push_back({.partition_index = partition, .timestamp = kEarliest});
  return request;
}

wire::ListOffsetsRequest ask_latest(const std::string& topic, std::size_t partitions, Isolation isolation) {
  wire::ListOffsetsRequest request;
  request.replica_id = -1;
  request.isolation_level = static_cast<std::int8_t>(isolation);
  auto& asked = request.topics.emplace_back();
  asked.name = topic;
  for (std::size_t index = 0; index < partitions; ++index)
    asked.partitions.push_back({.partition_index = static_cast<std::int32_t>(index), .timestamp = kLatest});
  return request;
}

void check_latest(Ledger& ledger, const std::vector<std::pair<TrackNumber, Ledger::Floor>>& asked,
                  Isolation isolation, const wire::ListOffsetsResponse& response) {
  const auto what = isolation == Isolation::committed ? Ledger::Latest::stable : Ledger::Latest::end;
  for (const auto& topic : response.topics) {
    for (const auto& answer : topic.partitions) {
      const auto& [track, floor] = asked.at(static_cast<std::size_t>(answer.partition_index));
      if (answer.error_code == wire::ErrorCode::none) {
        ledger.latest(track, floor, what, answer.offset);
      } else if (!wire::retriable(answer.error_code)) {
        ledger.fail("I18: ListOffsets refused with " + std::string(wire::name(answer.error_code)));
      }
    }
  }
}

std::int64_t start_of(Ledger& ledger, TrackNumber track, Ledger::Floor floor, std::int64_t position,
                      const wire::ListOffsetsResponse::ListOffsetsPartitionResponse& answer) {
  // A start that was shown may not have become stable before the broker died.
  if (answer.offset <= position && ledger.same_life(floor))
    ledger.fail("I17: " + ledger.name(track) + " starts at " + std::to_string(answer.offset) + ", yet " +
                std::to_string(position) + " was out of range");
  ledger.starts_at(track, floor, answer.offset);
  return std::max(position, answer.offset);
}

void Consumer::find_starts() {
  std::vector<std::int32_t> lost;
  for (std::size_t index = 0; index < partitions_.size(); ++index) {
    if (partitions_[index].lost) lost.push_back(static_cast<std::int32_t>(index));
  }
  client_.ask(offsets_version_, ask_starts(topic_.name, lost), [this](wire::ListOffsetsResponse&& response) {
    for (const auto& each : response.topics) {
      for (const auto& answer : each.partitions) {
        Partition& partition = partitions_.at(static_cast<std::size_t>(answer.partition_index));
        if (answer.error_code != wire::ErrorCode::none) continue;
        partition.position = start_of(ledger_, partition.track, partition.floor, partition.position, answer);
        partition.lost = false;
      }
    }
    again();
  });
}

}  // namespace tailwater::sim
