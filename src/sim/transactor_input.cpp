// The part of Transactor that consumes.
#include "sim/transactor.hpp"
#include "wire/api/add_offsets_to_txn.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/api/txn_offset_commit.hpp"

namespace tailwater::sim {

namespace {

using wire::ErrorCode;

constexpr int kFirstStableOffsetFetch = 7;  // that can ask for stable offsets
constexpr int kFirstOffsetFetchOfGroups = 8;
constexpr int kFirstOffsetFetchWithIds = 10;
constexpr int kFirstBumpingCommit = 5;
constexpr int kFirstCommitWithIds = 6;
constexpr std::int32_t kBytesMax = 4 * 1024;

}  // namespace

void Transactor::draw_input_versions(Prng& random, const TransactorSetup& setup, Versions& versions) {
  const Topic& topic = setup.input->topic;
  versions.offset_fetch = draw_version_for<wire::OffsetFetchRequest>(random, topic, kFirstOffsetFetchWithIds,
                                                                     kFirstStableOffsetFetch);
  versions.list_offsets = draw_version<wire::ListOffsetsRequest>(random);
  versions.add_offsets = draw_version<wire::AddOffsetsToTxnRequest>(random);
  versions.commit_offsets =
      setup.bumping ? draw_version_for<wire::TxnOffsetCommitRequest>(random, topic, kFirstCommitWithIds,
                                                                     kFirstBumpingCommit)
                    : draw_version<wire::TxnOffsetCommitRequest>(random, 0, kFirstBumpingCommit - 1);
}

void Transactor::find_position() {
  const TransactorInput& input = *setup_.input;
  const bool of_groups = versions_.offset_fetch >= kFirstOffsetFetchOfGroups;
  wire::OffsetFetchRequest request;
  request.require_stable = true;
  if (of_groups) {
    auto& group = request.groups.emplace_back();
    group.group_id = input.group;
    group.topics.emplace().push_back(
        {.name = input.topic.name, .topic_id = input.topic.id, .partition_indexes = {input.partition}});
  } else {
    request.group_id = input.group;
    request.topics.emplace().push_back({.name = input.topic.name, .partition_indexes = {input.partition}});
  }
  client_.ask(versions_.offset_fetch, request, [this, of_groups](wire::OffsetFetchResponse&& response) {
    if (of_groups) {
      const auto& group = response.groups.at(0);
      if (put_off(group.error_code)) return;
      const auto& answer = group.topics.at(0).partitions.at(0);
      found_position(answer.error_code, answer.committed_offset);
    } else {
      if (put_off(response.error_code)) return;
      const auto& answer = response.topics.at(0).partitions.at(0);
      found_position(answer.error_code, answer.committed_offset);
    }
  });
}

void Transactor::found_position(ErrorCode error, std::int64_t committed) {
  if (put_off(error)) return;
  if (doubtful_position_ && committed == *doubtful_position_) position_ = *doubtful_position_;
  doubtful_position_.reset();
  if (committed != position_)
    ledger_.fail("I9: " + setup_.name + "'s group stands at " + std::to_string(committed) +
                 ", and its last committed transaction left " + std::to_string(position_));
  next_position_ = std::max<std::int64_t>(0, position_);
  phase_ = Phase::consuming;
  again();
}

void Transactor::find_start() {
  const TransactorInput& input = *setup_.input;
  client_.ask(versions_.list_offsets, ask_starts(input.topic.name, {input.partition}),
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
  wire::FetchRequest request = fetching_->request({{input.partition, next_position_, kBytesMax}});
  request.max_wait_ms = 100;
  request.min_bytes = 1;
  request.max_bytes = kBytesMax;
  client_.ask(fetching_->version(), request, [this](wire::FetchResponse&& response) {
    if (!fetching_->accept(response)) return again();
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
  client_.ask(versions_.add_offsets, request, [this](wire::AddOffsetsToTxnResponse&& response) {
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
  request.topics.push_back({.name = input.topic.name,
                            .topic_id = input.topic.id,
                            .partitions = {{.partition_index = input.partition,
                                            .committed_offset = next_position_,
                                            .committed_metadata = std::string_view()}}});
  client_.ask(versions_.commit_offsets, request, [this](wire::TxnOffsetCommitResponse&& response) {
    if (put_off(response.topics.at(0).partitions.at(0).error_code)) return;
    phase_ = Phase::ending;
    again();
  });
}

}  // namespace tailwater::sim
