#include "programs/load/fetch.hpp"

#include <numeric>
#include <utility>

#include "programs/load/requests.hpp"
#include "records/batch.hpp"

namespace tailwater::load {

namespace {

constexpr std::int16_t kVersion = 16;
constexpr std::int32_t kWait_ms = 500;
constexpr std::int32_t kLargestAnswer = 50 << 20;
constexpr std::int32_t kEpochMax = INT32_MAX;
constexpr std::uint64_t kChecksumOfEach = 16;  // batches: enough to see wrong bytes, and cheap
constexpr std::size_t kPartitionHead = 128;    // of a partition in an answer, at most

}  // namespace

Fetch::Fetch(const Plan& plan, const Stretch& stretch, Journey* journey)
    : plan_(plan), stretch_(stretch), journey_(journey), offsets_(stretch.begins), moved_(offsets_.size()) {
  std::iota(moved_.begin(), moved_.end(), 0);
  request_.max_wait_ms = kWait_ms;
  request_.min_bytes = 1;
  request_.max_bytes = kLargestAnswer;
}

std::size_t Fetch::answer_bytes() const {
  // A broker may give one batch whole that is larger than was asked for.
  const std::size_t batch = 2 * kPartitionHead + std::size_t{plan_.records} * (plan_.record_bytes + 32);
  const std::size_t most = offsets_.size() * (std::size_t{plan_.partition_bytes} + kPartitionHead);
  return std::min<std::size_t>(most, kLargestAnswer) + batch + offsets_.size() * kPartitionHead;
}

MutableBytes Fetch::next() {
  request_.session_id = session_;
  request_.session_epoch = epoch_;
  request_.topics.clear();
  if (!moved_.empty()) {
    auto& topic = request_.topics.emplace_back();
    topic.topic_id = stretch_.topic;
    for (const std::int32_t partition : moved_) {
      auto& each = topic.partitions.emplace_back();
      each.partition = partition;
      each.fetch_offset = offsets_[static_cast<std::size_t>(partition)];
      each.partition_max_bytes = static_cast<std::int32_t>(plan_.partition_bytes);
    }
  }
  moved_.clear();
  frame_.clear();
  write_frame(frame_, kVersion, request_);
  return frame_;
}

Script::Heard Fetch::hear(Bytes answer, std::int64_t now_ns) {
  records_ = 0;
  journeys_.clear();
  wire::Reader reader(answer);
  if (!wire::decode_response_header(reader, wire::ApiKey::fetch, kVersion) ||
      !decode(reader, kVersion, response_)) {
    return refuse("an answer that is no answer to Fetch");
  }
  if (response_.error_code != wire::ErrorCode::none) {
    return refuse("Fetch answered " + std::string(wire::name(response_.error_code)));
  }
  if (epoch_ == 0) session_ = response_.session_id;
  // A broker that has no room for a session is asked for everything each time.
  const bool is_session = session_ != 0;
  epoch_ = is_session ? (epoch_ == kEpochMax ? 1 : epoch_ + 1) : 0;
  for (const auto& topic : response_.responses) {
    for (const auto& part : topic.partitions) {
      if (part.error_code != wire::ErrorCode::none) {
        return refuse("Fetch of partition " + std::to_string(part.partition_index) + " answered " +
                      std::string(wire::name(part.error_code)));
      }
      if (!take(part.partition_index, part.records.value_or(Bytes{}), now_ns)) return Heard::wrong;
    }
  }
  if (!is_session) {
    moved_.resize(offsets_.size());
    std::iota(moved_.begin(), moved_.end(), 0);
  }
  return Heard::done;
}

// The last batch may be cut off: it comes again.
bool Fetch::take(std::int32_t partition, Bytes records, std::int64_t now_ns) {
  const auto wrong = [&](std::string_view what) {
    problem_ = "partition " + std::to_string(partition) + ": " + std::string(what);
    return false;
  };
  const auto place = static_cast<std::size_t>(partition);
  if (place >= offsets_.size()) return wrong("nobody asked for it");
  std::int64_t& offset = offsets_[place];
  const std::int64_t begin = offset;
  records::BatchCursor batches(records);
  while (const auto batch = batches.next()) {
    if (batch->base_offset().value != offset) return wrong("a batch that is not the next one");
    if (++batches_ % kChecksumOfEach == 0 && !batch->crc_matches()) return wrong("a wrong checksum");
    if (journey_ != nullptr) {
      const auto intended = journey_->received(static_cast<std::uint32_t>(partition), offset);
      if (!intended) return wrong("a batch that nobody sent");
      journeys_.push_back(now_ns - *intended);
    }
    records_ += static_cast<std::uint64_t>(batch->records_count());
    offset = batch->last_offset().value + 1;
  }
  if (batches.fault() && *batches.fault() != Errc::truncated) return wrong("what is no batch");
  if (offset == begin) return true;
  moved_.push_back(partition);
  if (stretch_.ends.empty() || offset < stretch_.ends[place]) return true;
  offset = stretch_.begins[place];
  if (partition != 0) return true;
  ++rounds_;
  rounds_.notify_all();
  return true;
}

Script::Heard Fetch::refuse(std::string problem) {
  problem_ = std::move(problem);
  return Heard::wrong;
}

}  // namespace tailwater::load
