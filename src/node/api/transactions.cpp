// The APIs of transactions: each goes to the shard of its transactional id's coordinator, and the answer
// back.
#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "core/group/partition.hpp"
#include "node/api/handlers.hpp"
#include "node/api/once.hpp"
#include "node/controller_calls.hpp"
#include "node/shard_state.hpp"

namespace tailwater::node {

namespace {

using wire::ErrorCode;

constexpr std::int16_t kFirstInitWithFenced = 4;
constexpr std::int16_t kFirstInitWithProducer = 3;
constexpr std::int16_t kFirstWithFenced = 2;  // of AddPartitionsToTxn, AddOffsetsToTxn, EndTxn
constexpr std::int16_t kFirstBatchedAdd = 4;
constexpr std::int16_t kFirstBumpingAdd = 5;
constexpr std::int16_t kFirstBumpingEnd = 5;

// PRODUCER_FENCED is younger than transactions.
ErrorCode spoken(ErrorCode error, bool knows_fenced) {
  return error == ErrorCode::producer_fenced && !knows_fenced ? ErrorCode::invalid_producer_epoch : error;
}

template <class Asked, class Finish>
void ask_coordinator(ShardState& shard, Asked asked, Finish finish) {
  const TxnPlace place = transaction_place(shard.context, asked.transactional_id);
  auto gather = shard.calls.begin(1, [finish = std::move(finish)](std::vector<AnswerBody>& answers) mutable {
    finish(std::get<txn::Answer>(answers.front()));
  });
  gather.ask(place.shard, 0, TxnCall{place.partition, std::move(asked)});
}

}  // namespace

void serve_transactional_init(ShardState& shard, const Request& request,
                              const wire::InitProducerIdRequest& asked) {
  const auto refuse = [&](ErrorCode error) {
    wire::InitProducerIdResponse response;
    response.error_code = error;
    response.producer_epoch = -1;
    shard.connections.answer(request, response);
  };
  if (asked.enable2_pc) return refuse(ErrorCode::transactional_id_authorization_failed);
  if (asked.keep_prepared_txn) return refuse(ErrorCode::unsupported_version);
  txn::InitRequest init{.transactional_id = *asked.transactional_id,
                        .timeout_ms = asked.transaction_timeout_ms,
                        .expected = {}};
  if (request.version >= kFirstInitWithProducer && (asked.producer_id != -1 || asked.producer_epoch != -1)) {
    if (asked.producer_id == -1 || asked.producer_epoch == -1) return refuse(ErrorCode::invalid_request);
    init.expected = {ProducerId{asked.producer_id}, ProducerEpoch{asked.producer_epoch}};
  }
  ask_coordinator(shard, std::move(init), [&shard, request](const txn::Answer& answer) {
    wire::InitProducerIdResponse response;
    response.error_code = spoken(answer.error, request.version >= kFirstInitWithFenced);
    response.producer_id = answer.producer.id.value;
    response.producer_epoch = answer.producer.epoch.value;
    shard.connections.answer(request, response);
  });
}

// --- AddPartitionsToTxn

namespace {

using AddedTopic = wire::AddPartitionsToTxnRequest::AddPartitionsToTxnTopic;
using TopicResult = wire::AddPartitionsToTxnResponse::AddPartitionsToTxnTopicResult;

// One transaction of the request: what is known goes to its coordinator, in whose answer the rest finds its
// place. Both lists are in the order of the topics, and so is what the coordinator says of the known ones.
struct Addition {
  std::vector<AddedTopic> topics;
  std::vector<txn::TopicPartition> known;
  std::vector<txn::TopicPartition> unknown;
};

Addition addition_of(const Context& context, std::vector<AddedTopic> topics) {
  Addition addition;
  for (const AddedTopic& topic : topics) {
    const cluster::TopicHandle found = context.image->topic(topic.name);
    for (const std::int32_t partition : topic.partitions) {
      const bool exists = found && found->partition(PartitionId{partition}) != nullptr;
      (exists ? addition.known : addition.unknown).push_back({topic.name, partition});
    }
  }
  addition.topics = std::move(topics);
  return addition;
}

// An addition is all or nothing: beside an unknown partition the others are not attempted.
std::vector<TopicResult> results_of(const Addition& addition, const txn::Answer& answer) {
  const auto set_of = [](const std::vector<txn::TopicPartition>& partitions) {
    return std::set<txn::TopicPartition>(partitions.begin(), partitions.end());
  };
  const auto unknown = set_of(addition.unknown);
  const auto missing = set_of(answer.missing);
  std::vector<TopicResult> results;
  for (const AddedTopic& topic : addition.topics) {
    TopicResult& result = results.emplace_back();
    result.name = topic.name;
    for (const std::int32_t partition : topic.partitions) {
      const txn::TopicPartition each{topic.name, partition};
      ErrorCode error = answer.error;
      if (unknown.contains(each)) {
        error = ErrorCode::unknown_topic_or_partition;
      } else if (missing.contains(each)) {
        error = ErrorCode::transaction_abortable;
      }
      result.results_by_partition.push_back({partition, error});
    }
  }
  return results;
}

void serve_plain_add(ShardState& shard, const Request& request, wire::AddPartitionsToTxnRequest&& asked) {
  Addition addition = addition_of(shard.context, std::move(asked.v3_and_below_topics));
  const auto finish = [&shard, request](const Addition& added, txn::Answer answer) {
    answer.error = spoken(answer.error, request.version >= kFirstWithFenced);
    wire::AddPartitionsToTxnResponse response;
    response.results_by_topic_v3_and_below = results_of(added, answer);
    shard.connections.answer(request, response);
  };
  if (!addition.unknown.empty()) {
    txn::Answer refused;
    refused.error = ErrorCode::operation_not_attempted;
    return finish(addition, std::move(refused));
  }
  txn::AddRequest add{.transactional_id = std::move(asked.v3_and_below_transactional_id),
                      .producer = {ProducerId{asked.v3_and_below_producer_id},
                                   ProducerEpoch{asked.v3_and_below_producer_epoch}},
                      .partitions = addition.known};
  ask_coordinator(shard, std::move(add), [finish, addition = std::move(addition)](txn::Answer& answer) {
    finish(addition, std::move(answer));
  });
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::AddPartitionsToTxnRequest&& asked) {
  if (request.version < kFirstBatchedAdd) return serve_plain_add(shard, request, std::move(asked));
  const auto version =
      request.version >= kFirstBumpingAdd ? txn::ClientVersion::bumping : txn::ClientVersion::plain;
  std::vector<Addition> additions;
  std::vector<std::string> ids;
  std::vector<std::pair<std::size_t, TxnCall>> calls;  // by transaction
  for (auto& transaction : asked.transactions) {
    const std::size_t index = additions.size();
    ids.push_back(transaction.transactional_id);
    Addition& addition = additions.emplace_back(addition_of(shard.context, std::move(transaction.topics)));
    const txn::ProducerIdentity producer{ProducerId{transaction.producer_id},
                                         ProducerEpoch{transaction.producer_epoch}};
    const TxnPlace place = transaction_place(shard.context, transaction.transactional_id);
    TxnCall call{.coordinator = place.partition, .request = {}};
    if (transaction.verify_only) {
      call.request = txn::VerifyRequest{transaction.transactional_id, producer, addition.known};
    } else if (addition.unknown.empty()) {
      call.request = txn::AddRequest{transaction.transactional_id, producer, addition.known, version};
    } else {
      continue;
    }
    calls.emplace_back(index, std::move(call));
  }
  std::vector<std::size_t> asked_of;  // by part: the transaction
  for (const auto& [index, call] : calls) asked_of.push_back(index);
  auto gather =
      shard.calls.begin(calls.size(), [&shard, request, additions = std::move(additions), ids,
                                       asked_of = std::move(asked_of)](std::vector<AnswerBody>& answers) {
        std::vector<txn::Answer> of_transaction(additions.size());
        for (txn::Answer& each : of_transaction) each.error = ErrorCode::operation_not_attempted;
        for (std::size_t part = 0; part < answers.size(); ++part) {
          of_transaction[asked_of[part]] = std::get<txn::Answer>(std::move(answers[part]));
        }
        wire::AddPartitionsToTxnResponse response;
        for (std::size_t index = 0; index < additions.size(); ++index) {
          response.results_by_transaction.push_back(
              {ids[index], results_of(additions[index], of_transaction[index])});
        }
        shard.connections.answer(request, response);
      });
  for (std::uint32_t part = 0; part < calls.size(); ++part) {
    const TxnPlace place = transaction_place(shard.context, ids[calls[part].first]);
    gather.ask(place.shard, part, std::move(calls[part].second));
  }
}

// --- AddOffsetsToTxn

namespace {

// The transaction takes in the partition where the group's offsets are written.
void add_offsets(ShardState& shard, const Request& request, wire::AddOffsetsToTxnRequest&& asked) {
  const cluster::TopicHandle topic = shard.context.image->topic(cluster::kOffsetsTopic);
  if (!topic || topic->partitions.empty()) {
    wire::AddOffsetsToTxnResponse refused;
    refused.error_code = ErrorCode::coordinator_not_available;
    return shard.connections.answer(request, refused);
  }
  const std::int32_t partition =
      group::coordinator_partition(asked.group_id, static_cast<std::int32_t>(topic->partitions.size()));
  txn::AddRequest add{.transactional_id = std::move(asked.transactional_id),
                      .producer = {ProducerId{asked.producer_id}, ProducerEpoch{asked.producer_epoch}},
                      .partitions = {{topic->name, partition}}};
  ask_coordinator(shard, std::move(add), [&shard, request](const txn::Answer& answer) {
    wire::AddOffsetsToTxnResponse response;
    response.error_code = spoken(answer.error, request.version >= kFirstWithFenced);
    shard.connections.answer(request, response);
  });
}

}  // namespace

void serve(ShardState& shard, const Request& request, wire::AddOffsetsToTxnRequest&& asked) {
  if (shard.context.image->topic(cluster::kOffsetsTopic)) {
    return add_offsets(shard, request, std::move(asked));
  }
  // Clients look for the group's coordinator only after this.
  ensure_topics(shard.calls, {std::string(cluster::kOffsetsTopic)},
                [&shard, request, asked = std::move(asked)](const cluster::EnsuredTopics&) mutable {
                  add_offsets(shard, request, std::move(asked));
                });
}

// --- EndTxn, WriteTxnMarkers

void serve(ShardState& shard, const Request& request, wire::EndTxnRequest&& asked) {
  const bool bumps = request.version >= kFirstBumpingEnd;
  txn::EndRequest end{.transactional_id = std::move(asked.transactional_id),
                      .producer = {ProducerId{asked.producer_id}, ProducerEpoch{asked.producer_epoch}},
                      .outcome = asked.committed ? txn::Outcome::commit : txn::Outcome::abort,
                      .version = bumps ? txn::ClientVersion::bumping : txn::ClientVersion::plain};
  ask_coordinator(shard, std::move(end), [&shard, request](const txn::Answer& answer) {
    wire::EndTxnResponse response;
    response.error_code = spoken(answer.error, request.version >= kFirstWithFenced);
    response.producer_id = answer.producer.id.value;
    response.producer_epoch = answer.producer.epoch.value;
    shard.connections.answer(request, response);
  });
}

void serve(ShardState& shard, const Request& request, wire::WriteTxnMarkersRequest&& asked) {
  wire::WriteTxnMarkersResponse response;
  // Where in the response each asked partition is.
  struct Place {
    std::size_t marker = 0;
    std::size_t topic = 0;
    std::size_t partition = 0;
  };
  std::vector<Place> places;
  std::vector<std::pair<ShardId, MarkerCall>> calls;
  for (const auto& marker : asked.markers) {
    auto& answered = response.markers.emplace_back();
    answered.producer_id = marker.producer_id;
    for (const auto& topic : marker.topics) {
      auto& topic_answer = answered.topics.emplace_back();
      topic_answer.name = topic.name;
      const cluster::TopicHandle found = shard.context.image->topic(topic.name);
      for (const std::int32_t partition : topic.partition_indexes) {
        const PartitionId number{partition};
        const bool exists = found && found->partition(number) != nullptr;
        topic_answer.partitions.push_back(
            {partition, exists ? ErrorCode::none : ErrorCode::unknown_topic_or_partition});
        if (!exists) continue;
        places.push_back(
            {response.markers.size() - 1, answered.topics.size() - 1, topic_answer.partitions.size() - 1});
        calls.emplace_back(
            shard.context.home_of(*found, number),
            MarkerCall{.topic_id = found->id,
                       .partition = number,
                       .producer = {ProducerId{marker.producer_id}, ProducerEpoch{marker.producer_epoch}},
                       .outcome = marker.transaction_result ? txn::Outcome::commit : txn::Outcome::abort,
                       .version = static_cast<txn::ClientVersion>(marker.transaction_version),
                       .coordinator_epoch = marker.coordinator_epoch});
      }
    }
  }
  auto gather =
      shard.calls.begin(calls.size(), [&shard, request, response = std::move(response),
                                       places = std::move(places)](std::vector<AnswerBody>& answers) mutable {
        for (std::size_t part = 0; part < answers.size(); ++part) {
          const Place& place = places[part];
          response.markers[place.marker].topics[place.topic].partitions[place.partition].error_code =
              std::get<PartitionAnswer>(answers[part]).error;
        }
        shard.connections.answer(request, response);
      });
  for (std::uint32_t part = 0; part < calls.size(); ++part) {
    gather.ask(calls[part].first, part, calls[part].second);
  }
}

// --- DescribeProducers, DescribeTransactions, ListTransactions

void serve(ShardState& shard, const Request& request, wire::DescribeProducersRequest&& asked) {
  wire::DescribeProducersResponse response;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // topic, partition
  std::vector<std::pair<ShardId, ProducersQuery>> calls;
  // A partition may have many producers: it is described once, however often it is asked for.
  std::map<std::string_view, std::size_t> topics;
  std::set<std::pair<std::string_view, std::int32_t>> seen;
  for (const auto& topic : asked.topics) {
    const auto [at, is_new] = topics.try_emplace(topic.name, response.topics.size());
    if (is_new) response.topics.emplace_back().name = topic.name;
    auto& answered = response.topics[at->second];
    const cluster::TopicHandle found = shard.context.image->topic(topic.name);
    for (const std::int32_t partition : topic.partition_indexes) {
      if (!seen.emplace(topic.name, partition).second) continue;
      const PartitionId number{partition};
      auto& item = answered.partitions.emplace_back();
      item.partition_index = partition;
      if (!found || found->partition(number) == nullptr) {
        item.error_code = ErrorCode::unknown_topic_or_partition;
        continue;
      }
      places.emplace_back(at->second, answered.partitions.size() - 1);
      calls.emplace_back(shard.context.home_of(*found, number), ProducersQuery{found->id, number});
    }
  }
  auto gather =
      shard.calls.begin(calls.size(), [&shard, request, response = std::move(response),
                                       places = std::move(places)](std::vector<AnswerBody>& answers) mutable {
        for (std::size_t part = 0; part < answers.size(); ++part) {
          const auto& known = std::get<ProducersAnswer>(answers[part]);
          auto& item = response.topics[places[part].first].partitions[places[part].second];
          item.error_code = known.error;
          for (const log::ProducerFacts& each : known.producers) {
            item.active_producers.push_back({.producer_id = each.id.value,
                                             .producer_epoch = each.epoch.value,
                                             .last_sequence = each.last_sequence,
                                             .last_timestamp = each.last_timestamp,
                                             .coordinator_epoch = each.coordinator_epoch,
                                             .current_txn_start_offset = each.transaction_first.value});
          }
        }
        shard.connections.answer(request, response);
      });
  for (std::uint32_t part = 0; part < calls.size(); ++part) {
    gather.ask(calls[part].first, part, calls[part].second);
  }
}

void serve(ShardState& shard, const Request& request, wire::DescribeTransactionsRequest&& asked) {
  const std::vector<std::string> ids = each_once(std::move(asked.transactional_ids));
  auto gather = shard.calls.begin(ids.size(), [&shard, request](std::vector<AnswerBody>& answers) {
    wire::DescribeTransactionsResponse response;
    for (AnswerBody& answer : answers) {
      response.transaction_states.push_back(
          std::get<wire::DescribeTransactionsResponse::TransactionState>(std::move(answer)));
    }
    shard.connections.answer(request, response);
  });
  std::uint32_t part = 0;
  for (const std::string& id : ids) {
    const TxnPlace place = transaction_place(shard.context, id);
    gather.ask(place.shard, part++, DescribeTransactionCall{place.partition, id});
  }
}

void serve(ShardState& shard, const Request& request, wire::ListTransactionsRequest&& asked) {
  std::vector<std::string> unknown;
  for (const std::string& name : asked.state_filters) {
    if (!txn::state_named(name)) unknown.push_back(name);
  }
  const std::uint32_t shards = shard.context.options.shards;
  auto gather = shard.calls.begin(
      shards, [&shard, request, unknown = std::move(unknown)](std::vector<AnswerBody>& answers) {
        wire::ListTransactionsResponse response;
        response.unknown_state_filters = unknown;
        for (AnswerBody& answer : answers) {
          auto& listed = std::get<ListTransactionsAnswer>(answer);
          if (listed.error != ErrorCode::none) response.error_code = listed.error;
          std::ranges::move(listed.transactions, std::back_inserter(response.transaction_states));
        }
        if (response.error_code != ErrorCode::none) response.transaction_states.clear();
        shard.connections.answer(request, response);
      });
  for (std::uint32_t at = 0; at < shards; ++at) gather.ask(ShardId{at}, at, ListTransactionsCall{asked});
}

}  // namespace tailwater::node
