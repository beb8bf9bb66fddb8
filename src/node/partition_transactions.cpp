// Transactions, the partition's side. A batch that would open one is held until the coordinator has said that
// the partition belongs to the producer's transaction: so no batch that comes late can open one that nobody
// ends. Clients of Produce 12 and later rely on the broker to add the partition at this moment; for older
// ones it is only looked for. Markers end transactions, and what was found out before them.
#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "node/partitions.hpp"
#include "records/batch.hpp"
#include "records/control.hpp"

namespace tailwater::node {

namespace {

constexpr std::int16_t kFirstAbortableVersion = 11;  // of Produce: knows TRANSACTION_ABORTABLE
constexpr std::int16_t kFirstAddingVersion = 12;     // of Produce: the broker adds the partition
constexpr std::size_t kUnvouchedMax = 100;  // of a partition: clients that fail must not fill the memory

// What a producer is told of a verification that failed. Older clients would take the coordinator's retriable
// errors for fatal ones; NOT_ENOUGH_REPLICAS makes them send again without looking for another leader.
ErrorCode produce_error(ErrorCode verification, std::int16_t version) {
  switch (verification) {
    case ErrorCode::producer_fenced:
      return ErrorCode::invalid_producer_epoch;
    case ErrorCode::transaction_abortable:
      return version >= kFirstAbortableVersion ? verification : ErrorCode::invalid_txn_state;
    case ErrorCode::concurrent_transactions:
      return version >= kFirstAddingVersion ? verification : ErrorCode::not_enough_replicas;
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
      return ErrorCode::not_enough_replicas;
    default:
      return verification;
  }
}

records::BatchInfo info_of(const records::BatchView& marker) {
  return {.size = marker.size(),
          .records_count = marker.records_count(),
          .last_offset_delta = marker.last_offset_delta(),
          .first_timestamp = marker.base_timestamp(),
          .max_timestamp = marker.max_timestamp(),
          .producer_id = marker.producer_id(),
          .producer_epoch = marker.producer_epoch(),
          .transactional = true,
          .records_walked = true};
}

void note_unvouched(PartitionState& partition, const txn::ProducerIdentity& producer, std::int32_t sequence) {
  auto& all = partition.unvouched;
  const auto known = std::ranges::find(all, producer, &PartitionState::Unvouched::producer);
  if (known != all.end()) {
    known->sequence = std::min(known->sequence, sequence);
    return;
  }
  if (all.size() == kUnvouchedMax) all.erase(all.begin());
  all.push_back({producer, sequence});
}

bool is_behind_unvouched(const PartitionState& partition, const txn::ProducerIdentity& producer,
                         std::int32_t sequence) {
  return std::ranges::any_of(partition.unvouched, [&](const auto& each) {
    return each.producer == producer && each.sequence < sequence;
  });
}

}  // namespace

bool Partitions::in_transaction(const PartitionState& partition,
                                const txn::ProducerIdentity& producer) const {
  if (partition.log == nullptr) return false;
  const auto known = partition.log->producer(producer.id);
  if (known && known->in_transaction() && known->epoch == producer.epoch) return true;
  return std::ranges::any_of(partition.verifications, [&](const PartitionState::Verification& each) {
    return each.granted && each.producer == producer;
  });
}

bool Partitions::admit(PartitionState& partition, const Asker& asker, const ProduceTerms& terms,
                       const ProduceAsk& ask, const records::BatchInfo& info) {
  const txn::ProducerIdentity producer{info.producer_id, info.producer_epoch};
  const bool adds = terms.version >= kFirstAddingVersion;
  // Behind a batch that waits, all of its producer wait: the log can judge them only when it has that one.
  const bool first_waits = std::ranges::any_of(partition.verifications, [&](const auto& each) {
    return each.producer == producer && !each.granted && !each.overtaken;
  });
  if (!first_waits) {
    // What the log refuses or knows already it answers by itself.
    if (!partition.log->is_new(info)) return true;
    const bool follows = info.base_sequence != 0 && !partition.log->producer(producer.id);
    // A client that bumps its epoch begins each transaction at sequence 0.
    if (follows && adds) {
      refuse(asker, terms, ask, ErrorCode::out_of_order_sequence_number);
      return false;
    }
    if (in_transaction(partition, producer)) {
      if (!follows || !is_behind_unvouched(partition, producer, info.base_sequence)) return true;
      refuse(asker, terms, ask, ErrorCode::out_of_order_sequence_number);
      return false;
    }
    if (!adds && !verifies_transactions()) return true;
  }
  verify(partition,
         {.key = ask.key,
          .transactional_id = std::string(terms.transactional_id),
          .producer = producer,
          .adds = adds},
         [this, asker, terms, ask, producer, sequence = info.base_sequence](ErrorCode error) {
           if (error == ErrorCode::none) return resume(asker, terms, ask);
           if (PartitionState* asked = find(ask.key)) note_unvouched(*asked, producer, sequence);
           refuse(asker, terms, ask, produce_error(error, terms.version));
         });
  return false;
}

void Partitions::verify(PartitionState& partition, VerificationWish wish, Continue then) {
  const auto asked = std::ranges::find_if(partition.verifications, [&](const auto& each) {
    return each.producer == wish.producer && !each.granted && !each.overtaken;
  });
  if (asked != partition.verifications.end()) {
    asked->waiting.push_back(std::move(then));
    return;
  }
  auto& verification = partition.verifications.emplace_back();
  verification.producer = wish.producer;
  verification.waiting.push_back(std::move(then));
  verification_wishes.push_back(std::move(wish));
}

void Partitions::verified(const PartitionKey& key, const txn::ProducerIdentity& producer, ErrorCode error) {
  PartitionState* partition = find(key);
  if (partition == nullptr) return;  // dropped, and everybody told
  // Answers come in the order of the questions, so it is the oldest of this producer.
  const auto asked = std::ranges::find_if(
      partition->verifications, [&](const auto& each) { return each.producer == producer && !each.granted; });
  if (asked == partition->verifications.end()) return;
  auto waiting = std::move(asked->waiting);
  if (error == ErrorCode::none && asked->overtaken) error = ErrorCode::transaction_abortable;
  if (error == ErrorCode::none) {
    asked->granted = true;
    asked->waiting.clear();
  } else {
    partition->verifications.erase(asked);
  }
  for (Continue& then : waiting) then(error);
}

// --- markers

void Partitions::mark(const MarkerAsker& asker, const MarkerCall& call) {
  // Before the batches that wait: markers are little, and others wait for them. A batch of the same transaction that
  // comes after its marker is late, and is found to be.
  if (!deferred_marks_.empty() || held_back()) {
    deferred_marks_.emplace_back(asker, call);
  } else {
    mark_now(asker, call);
  }
}

ErrorCode Partitions::check_marker(const log::Log& log, const MarkerCall& call) {
  const auto known = log.producer(call.producer.id);
  if (!known) return ErrorCode::none;
  if (call.coordinator_epoch < known->coordinator_epoch) return ErrorCode::transaction_coordinator_fenced;
  const bool bumps = call.version >= txn::ClientVersion::bumping;
  // The marker of a client that bumps has the next epoch already; the same one is a repetition.
  const bool is_late = bumps && known->in_transaction() ? call.producer.epoch <= known->epoch
                                                        : call.producer.epoch < known->epoch;
  return is_late ? ErrorCode::invalid_producer_epoch : ErrorCode::none;
}

void Partitions::mark_now(const MarkerAsker& asker, const MarkerCall& call) {
  const auto answer = [&](ErrorCode error) { marker_answers.push_back({asker, error}); };
  PartitionState* partition = find({call.topic_id, call.partition});
  if (partition == nullptr) {
    // A shard that still starts does not know its partitions yet: the marker has to come again.
    const cluster::TopicHandle topic = context_.image->topic(call.topic_id);
    const bool exists = topic && topic->partition(call.partition) != nullptr;
    return answer(exists ? ErrorCode::leader_not_available : ErrorCode::unknown_topic_or_partition);
  }
  if (partition->log == nullptr) return answer(ErrorCode::kafka_storage_error);
  if (const ErrorCode error = check_marker(*partition->log, call); error != ErrorCode::none) {
    return answer(error);
  }
  const bool commits = call.outcome == txn::Outcome::commit;
  scratch_.clear();
  records::append_end_marker({.type = commits ? records::ControlType::commit : records::ControlType::abort,
                              .producer_id = call.producer.id,
                              .producer_epoch = call.producer.epoch,
                              .coordinator_epoch = call.coordinator_epoch},
                             context_.now.wall, scratch_);
  const auto appended =
      storage_.append(*partition->log, scratch_, info_of(records::BatchView(scratch_)),
                      {.epoch = partition->epoch, .origin = log::Origin::broker}, context_.now);
  if (!appended) return answer(ErrorCode::kafka_storage_error);
  overtake(*partition, call);
  partition->marked.push({appended->last, call.producer, call.outcome});
  if (is_noted_behind(*partition, call)) return answer(ErrorCode::none);
  partition->marking.push({asker, appended->last});
  log::Storage::want_stable(*partition->log);
}

bool Partitions::is_noted_behind(const PartitionState& marked, const MarkerCall& call) {
  const cluster::TopicHandle topic = context_.image->topic(cluster::kTransactionTopic);
  if (call.coordinator < 0 || !topic) return false;
  const PartitionState* noting = find({topic->id, PartitionId{call.coordinator}});
  return noting != nullptr && noting->log != nullptr && log::Storage::goes_before(*marked.log, *noting->log);
}

void Partitions::overtake(PartitionState& partition, const MarkerCall& marker) {
  // The marker of a client that bumps has the epoch that its next transaction begins with: who asks for that
  // one is ahead of the marker, which may come after the client's first records.
  const bool bumps = marker.version >= txn::ClientVersion::bumping;
  const auto is_ended = [&](const PartitionState::Verification& each) {
    return each.producer.id == marker.producer.id && !(bumps && each.producer.epoch >= marker.producer.epoch);
  };
  std::erase_if(partition.verifications, [&](const auto& each) { return each.granted && is_ended(each); });
  std::erase_if(partition.unvouched,
                [&](const auto& each) { return each.producer.id == marker.producer.id; });
  for (auto& each : partition.verifications) {
    if (is_ended(each)) each.overtaken = true;
  }
}

void Partitions::answer_marked(PartitionState& partition) {
  const Offset durable = partition.log->durable_end();
  const PartitionKey key{partition.topic->topic->id, partition.partition};
  while (!partition.marked.empty() && partition.marked.front().last < durable) {
    const PartitionState::Marked& done = partition.marked.front();
    ended.push_back({key, done.last, done.producer, done.outcome});
    partition.marked.pop();
  }
  const Offset stable = partition.log->stable_end();
  for (auto& marking = partition.marking; !marking.empty() && marking.front().last < stable; marking.pop()) {
    marker_answers.push_back({marking.front().asker, ErrorCode::none});
  }
}

void Partitions::drop_transactions(PartitionState& partition, ErrorCode error) {
  while (!partition.marked.empty()) partition.marked.pop();
  for (; !partition.marking.empty(); partition.marking.pop()) {
    marker_answers.push_back({partition.marking.front().asker, error});
  }
  for (auto& verification : std::exchange(partition.verifications, {})) {
    for (Continue& then : verification.waiting) then(error);
  }
}

ProducersAnswer Partitions::query(const ProducersQuery& query) {
  const PartitionState* partition = find({query.topic_id, query.partition});
  ProducersAnswer answer;
  if (partition == nullptr || partition->log == nullptr) {
    answer.error =
        partition == nullptr ? ErrorCode::unknown_topic_or_partition : ErrorCode::kafka_storage_error;
  } else {
    answer.producers = partition->log->producers();
  }
  return answer;
}

}  // namespace tailwater::node
