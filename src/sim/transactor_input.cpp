// The part of Transactor that consumes.
#include "sim/transactor.hpp"
#include "wire/api/add_offsets_to_txn.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/api/txn_offset_commit.hpp"

namespace tailwater::sim {

namespace {

using wire::ErrorCode;

constexpr std::int16_t kOffsetFetchVersion = 7;  // the first that can ask for stable offsets
constexpr std::int16_t kFetchVersion = 11;
constexpr std::int16_t kAddOffsetsVersion = 3;
constexpr std::int32_t kBytesMax = 4 * 1024;

}  // namespace

void Transactor::find_position() {
  const TransactorInput& input = *setup_.input;
  wire::OffsetFetchRequest request;
  request.group_id = input.group;
  request.require_stable = true;
  request.topics.emplace().push_back({.name = input.topic, .partition_indexes = {input.partition}});
  client_.ask(kOffsetFetchVersion, request, [this](wire::OffsetFetchResponse&& response) {
    if (put_off(response.error_code)) return;
    const auto& answer = response.topics.at(0).partitions.at(0);
    if (put_off(answer.error_code)) return;
    if (doubtful_position_ && answer.committed_offset == *doubtful_position_) position_ = *doubtful_position_;
    doubtful_position_.reset();
    if (answer.committed_offset != position_)
      ledger_.fail("I9: " + setup_.name + "'s group stands at " + std::to_string(answer.committed_offset) +
                   ", and its last committed transaction left " + std::to_string(position_));
    next_position_ = std::max<std::int64_t>(0, position_);
    phase_ = Phase::consuming;
    again();
  });
}

void Transactor::find_start() {
  const TransactorInput& input = *setup_.input;
  client_.ask(kListOffsetsVersion, ask_starts(input.topic, {input.partition}),
              [this](wire::ListOffsetsResponse&& response) {
                const auto& answer = response.topics.at(0).partitions.at(0);
                if (put_off(answer.error_code)) return;
                next_position_ = start_of(ledger_, setup_.input->track, floor_, next_position_, answer);
                phase_ = Phase::consuming;
                again();
              });
}

void Transactor::consume() {
  if (finishing_) {
    phase_ = Phase::idle;
    return;
  }
  const TransactorInput& input = *setup_.input;
  floor_ = ledger_.floor(input.track);
  wire::FetchRequest request;
  request.max_wait_ms = 100;
  request.min_bytes = 1;
  request.max_bytes = kBytesMax;
  auto& topic = request.topics.emplace_back();
  topic.topic = input.topic;
  topic.partitions.push_back(
      {.partition = input.partition, .fetch_offset = next_position_, .partition_max_bytes = kBytesMax});
  client_.ask(kFetchVersion, request, [this](wire::FetchResponse&& response) {
    consumed(response.responses.at(0).partitions.at(0));
  });
}

void Transactor::consumed(const wire::FetchResponsePartitionData& answer) {
  const TrackNumber track = setup_.input->track;
  if (answer.error_code == ErrorCode::corrupt_message) {
    next_position_ = ledger_.told_damaged(track, next_position_);
    return again();
  }
  if (answer.error_code == ErrorCode::offset_out_of_range) {
    ledger_.out_of_range(track, next_position_);
    phase_ = Phase::finding_start;
    return again();
  }
  if (put_off(answer.error_code)) return;
  const std::int64_t next = check_fetched(ledger_, track, floor_, next_position_, answer);
  if (next == next_position_) return again();
  next_position_ = next;
  begin();
}

void Transactor::add_offsets() {
  wire::AddOffsetsToTxnRequest request;
  request.transactional_id = setup_.transactional_id;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.group_id = setup_.input->group;
  client_.ask(kAddOffsetsVersion, request, [this](wire::AddOffsetsToTxnResponse&& response) {
    if (put_off(response.error_code)) return;
    phase_ = Phase::committing_offsets;
    again();
  });
}

void Transactor::commit_offsets() {
  const TransactorInput& input = *setup_.input;
  wire::TxnOffsetCommitRequest request;
  request.transactional_id = setup_.transactional_id;
  request.group_id = input.group;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.topics.push_back({.name = input.topic,
                            .topic_id = {},
                            .partitions = {{.partition_index = input.partition,
                                            .committed_offset = next_position_,
                                            .committed_metadata = std::string_view()}}});
  client_.ask(setup_.bumping ? 5 : 3, request, [this](wire::TxnOffsetCommitResponse&& response) {
    if (put_off(response.topics.at(0).partitions.at(0).error_code)) return;
    phase_ = Phase::ending;
    again();
  });
}

}  // namespace tailwater::sim
