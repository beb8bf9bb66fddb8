#include "sim/keeper.hpp"

#include <algorithm>
#include <charconv>

#include "base/check.hpp"
#include "records/batch.hpp"
#include "records/builder.hpp"
#include "records/record.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/produce.hpp"

namespace tailwater::sim {

namespace {

using wire::ErrorCode;

constexpr std::int16_t kInitProducerIdVersion = 4;
constexpr int kFirstWithIds = 13;  // of Produce
constexpr Duration kRetryMax = Duration::from_ms(50);
constexpr std::uint64_t kKeys = 25;
constexpr std::uint64_t kRecordsMax = 4;  // of a batch
constexpr std::uint64_t kBatchesMax = 80;
constexpr std::uint64_t kTombstoneOneIn = 6;
constexpr std::size_t kPaddingMax = 200;

}  // namespace

Keeper::Keeper(Agenda& agenda, Network& network, Ledger& ledger, Topic topic, TrackNumber track,
               Duration pause_max)
    : agenda_(agenda),
      ledger_(ledger),
      topic_(std::move(topic)),
      track_(track),
      pause_max_(pause_max),
      fetching_(agenda.random(), ledger, topic_, Fetching::Sessions::never),
      produce_version_(draw_version_for<wire::ProduceRequest>(agenda.random(), topic_, kFirstWithIds)),
      client_(agenda, network, "keeper", [this] { again(kRetryMax); }) {}

std::string Keeper::state() const {
  return "keeper: phase " + std::to_string(static_cast<int>(phase_)) + " at version " +
         std::to_string(next_version_) + ", has read to " + std::to_string(position_);
}

void Keeper::again(Duration bound) {
  if (step_asked_) return;
  step_asked_ = true;
  agenda_.soon(bound, [this] {
    step_asked_ = false;
    step();
  });
}

void Keeper::step() {
  if (client_.busy()) return;
  switch (phase_) {
    case Phase::starting:
      return ask_id();
    case Phase::writing:
      if (batch_.empty() && (finishing_ || batches_left_ == 0)) return begin_reading();
      return write();
    case Phase::reading:
      return read();
    case Phase::over:
      return;
  }
}

void Keeper::ask_id() {
  client_.ask(kInitProducerIdVersion, wire::InitProducerIdRequest{},
              [this](wire::InitProducerIdResponse&& response) {
                if (response.error_code == ErrorCode::none) {
                  producer_id_ = response.producer_id;
                  batches_left_ = 1 + agenda_.random().below(kBatchesMax);
                  phase_ = Phase::writing;
                }
                again(kRetryMax);
              });
}

// --- writing

void Keeper::make_batch() {
  Prng& random = agenda_.random();
  records::BatchBuilder builder({.producer_id = ProducerId{producer_id_},
                                 .producer_epoch = ProducerEpoch{0},
                                 .base_sequence = sequence_});
  in_batch_.clear();
  const std::uint64_t count = 1 + random.below(kRecordsMax);
  for (std::uint64_t each = 0; each < count; ++each) {
    const std::string key = "key-" + std::to_string(random.below(kKeys));
    const bool tombstone = random.one_in(kTombstoneOneIn);
    // Its place within the batch, until that has its own.
    const Version version{next_version_++, tombstone, static_cast<std::int64_t>(each)};
    const std::string value =
        std::to_string(version.number) + ":" + std::string(random.below(kPaddingMax + 1), 'k');
    std::optional<Bytes> stored = as_bytes(value);
    if (version.tombstone) stored.reset();
    CHECK(builder.add(agenda_.both().wall.ms, as_bytes(key), stored));
    in_batch_[key] = version;
  }
  batch_records_ = static_cast<std::int32_t>(count);
  CHECK(builder.finish(batch_).has_value());
}

void Keeper::write() {
  if (batch_.empty()) make_batch();
  wire::ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 10'000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = topic_.name;
  topic.topic_id = topic_.id;
  topic.partition_data.push_back({.index = 0, .records = Bytes(batch_)});
  client_.ask(produce_version_, request, [this](wire::ProduceResponse&& response) {
    const auto& answer = response.responses.at(0).partition_responses.at(0);
    const ErrorCode error = answer.error_code;
    if (error != ErrorCode::none) {
      if (!wire::retriable(error))
        ledger_.fail("I18: the keeper was refused with " + std::string(wire::name(error)));
      return again(kRetryMax);
    }
    for (const auto& [key, version] : in_batch_)
      kept_[key] = {version.number, version.tombstone, answer.base_offset + version.offset};
    sequence_ += batch_records_;
    batch_.clear();
    --batches_left_;
    again(pause_max_);
  });
}

// --- reading

// Nothing is under way: what is acknowledged is all that there is.
void Keeper::begin_reading() {
  phase_ = Phase::reading;
  last_ = finishing_;
  position_ = 0;
  found_.clear();
  damaged_.clear();
  read();
}

void Keeper::read() {
  wire::FetchRequest request = fetching_.request({{0, position_, 64 * 1024}});
  request.min_bytes = 1;
  request.max_bytes = 4 * 1024 * 1024;
  client_.ask(fetching_.version(), request, [this](wire::FetchResponse&& response) {
    if (!fetching_.accept(response)) return again(kRetryMax);
    const auto& answer = response.responses.at(0).partitions.at(0);
    if (answer.error_code == ErrorCode::none) {
      take(answer);
    } else if (answer.error_code == ErrorCode::corrupt_message) {
      const std::int64_t next = ledger_.told_damaged_in_compacted(track_, position_);
      damaged_.emplace_back(position_, next);
      position_ = next;
    } else if (!wire::retriable(answer.error_code)) {
      ledger_.fail("I18: fetch refused with " + std::string(wire::name(answer.error_code)));
    }
    again(kRetryMax);
  });
}

void Keeper::take(const wire::FetchResponsePartitionData& answer) {
  records::BatchCursor cursor(answer.records.value_or(Bytes{}));
  while (const auto batch = cursor.next()) {
    if (!batch->crc_matches()) ledger_.fail("S6: a batch with a wrong CRC was served");
    if (batch->last_offset().value < position_) ledger_.fail("I7: " + topic_.name + " goes back");
    auto records = records::records_of(*batch);
    while (const auto record = records.next()) {
      const std::string key(as_text(record->key.value_or(Bytes{})));
      Version& found = found_[key];
      if (!record->value) {
        found.tombstone = true;
        continue;
      }
      const std::string_view value = as_text(*record->value);
      std::uint64_t number = 0;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
      if (parsed.ec != std::errc() || number >= next_version_)
        return ledger_.fail("S6: " + topic_.name + " holds something that was never sent");
      if (number <= found.number)
        ledger_.fail("I16: " + key + " has version " + std::to_string(number) + " behind " +
                     std::to_string(found.number));
      found = {number, false, -1};
    }
    position_ = batch->last_offset().value + 1;
  }
  if (cursor.fault()) ledger_.fail("S6: bytes that are no batch were served");
  if (position_ < answer.high_watermark && !answer.records.value_or(Bytes{}).empty()) return;
  judge();
  if (last_) {
    phase_ = Phase::over;
    return;
  }
  batches_left_ = 1 + agenda_.random().below(kBatchesMax);
  phase_ = Phase::writing;
}

bool Keeper::is_damaged(std::int64_t offset) const {
  return std::ranges::any_of(
      damaged_, [offset](const auto& range) { return range.first <= offset && offset < range.second; });
}

void Keeper::judge() {
  for (const auto& [key, version] : kept_) {
    if (is_damaged(version.offset)) continue;
    const auto found = found_.find(key);
    const bool gone = found == found_.end() || found->second.tombstone;
    // A slow reader may have read the value, and come too late for the tombstone.
    if (version.tombstone && (gone || !last_)) continue;
    const bool holds = !gone && !version.tombstone && found->second.number == version.number;
    if (!holds)
      ledger_.fail("I16: of " + key + " version " + std::to_string(version.number) +
                   (version.tombstone ? " (a tombstone)" : "") + " is the last, and " +
                   (gone ? "nothing" : std::to_string(found->second.number)) + " is there");
  }
}

}  // namespace tailwater::sim
