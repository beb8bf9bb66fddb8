#include "node/transactions.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/group/partition.hpp"
#include "node/controller_calls.hpp"

namespace tailwater::node {

namespace {

txn::Options txn_options(const cluster::BrokerConfig& config) {
  txn::Options options;
  options.timeout_max = Duration::from_ms(config.transaction_max_timeout_ms);
  options.id_expiration = Duration::from_ms(config.transactional_id_expiration_ms);
  options.abort_interval = Duration::from_ms(config.transaction_abort_check_interval_ms);
  options.expiry_interval = Duration::from_ms(config.transaction_expiry_check_interval_ms);
  return options;
}

}  // namespace

TxnPlace transaction_place(const Context& context, std::string_view transactional_id) {
  const cluster::TopicHandle topic = context.image->topic(cluster::kTransactionTopic);
  if (!topic || topic->partitions.empty()) return {ShardId{0}, 0};
  // Ids of transactions are spread as ids of groups are.
  const std::int32_t partition =
      group::coordinator_partition(transactional_id, static_cast<std::int32_t>(topic->partitions.size()));
  return {context.home_of(*topic, PartitionId{partition}), partition};
}

Transactions::Transactions(Context& context, Partitions& partitions, Calls& calls, Admin& admin)
    : CoordinatorKeeper(context, partitions), calls_(calls), admin_(admin) {}

void Transactions::add(std::int32_t number, CoordinatorLog&& log) {
  coordinators_.try_emplace(number, std::move(log), txn_options(context_.options.config));
}

void Transactions::take_over(Coordinator& coordinator) {
  coordinator.machine.loaded(coordinator.log.partition()->epoch.value, context_.now, effects_);
}

// --- questions

void Transactions::ask(ShardId from, std::uint64_t gather, std::uint32_t part, TxnCall& asked) {
  const Asking asking{from, gather, part};
  Coordinator* coordinator = find(asked.coordinator);
  if (coordinator == nullptr) {
    txn::Answer refused;
    refused.error = wire::ErrorCode::not_coordinator;
    return answer(asking, std::move(refused));
  }
  const txn::Ticket ticket = ticket_of(*coordinator, asking);
  struct Visitor {
    txn::TxnCoordinator& machine;
    txn::Ticket ticket;
    Now now;
    txn::TxnEffects& out;
    void operator()(txn::InitRequest& request) { machine.init(ticket, std::move(request), now, out); }
    void operator()(txn::AddRequest& request) { machine.add(ticket, std::move(request), now, out); }
    void operator()(txn::VerifyRequest& request) { machine.verify(ticket, std::move(request), now, out); }
    void operator()(txn::EndRequest& request) { machine.end(ticket, std::move(request), now, out); }
  };
  std::visit(Visitor{coordinator->machine, ticket, context_.now, effects_}, asked.request);
  carry_out(*coordinator);
}

void Transactions::ask(ShardId from, std::uint64_t gather, std::uint32_t part,
                       DescribeTransactionCall& asked) {
  Coordinator* coordinator = find(asked.coordinator);
  if (coordinator != nullptr) {
    return answer({from, gather, part}, coordinator->machine.describe(asked.transactional_id));
  }
  wire::DescribeTransactionsResponse::TransactionState refused;
  refused.transactional_id = asked.transactional_id;
  refused.error_code = wire::ErrorCode::not_coordinator;
  answer({from, gather, part}, std::move(refused));
}

void Transactions::ask(ShardId from, std::uint64_t gather, std::uint32_t part, ListTransactionsCall& asked) {
  ListTransactionsAnswer listed;
  for (const auto& [number, coordinator] : coordinators_) {
    const wire::ErrorCode error =
        coordinator.machine.list(asked.request, context_.now.wall, listed.transactions);
    if (error != wire::ErrorCode::none) listed.error = error;
  }
  answer({from, gather, part}, std::move(listed));
}

void Transactions::ask(ShardId from, std::uint64_t gather, std::uint32_t part, OpenTransactionsQuery& query) {
  OpenTransactionsAnswer known;
  known.may_be_open.assign(query.open.size(), !has_all_coordinators());
  for (const auto& [number, coordinator] : coordinators_) {
    coordinator.machine.find_open(query.open, known.may_be_open);
  }
  answer({from, gather, part}, std::move(known));
}

// One that is missing, because its directory is offline, might know what the others do not.
bool Transactions::has_all_coordinators() const {
  const cluster::TopicHandle topic = context_.image->topic(cluster::kTransactionTopic);
  if (!topic) return true;
  for (std::size_t index = 0; index < topic->partitions.size(); ++index) {
    const auto number = static_cast<std::int32_t>(index);
    const bool is_ours = context_.is_self(context_.home_of(*topic, PartitionId{number}));
    if (is_ours && !coordinators_.contains(number)) return false;
  }
  return true;
}

// --- effects

void Transactions::fulfil(Coordinator& coordinator, txn::TxnEffects& wished) {
  for (std::string& note : wished.notes) context_.note(LogLevel::warning, std::move(note));
  for (txn::Reply& reply : wished.replies) answer(coordinator, reply.ticket, std::move(reply.answer));
  for (txn::Append& append : wished.appends) {
    if (!coordinator.log.write(append.token.value, std::move(append.batch))) continue;
    coordinator.machine.placed(
        append.token,
        [&](const txn::TopicPartition& partition) { return goes_before(coordinator, partition); },
        context_.now, effects_);
  }
  for (const txn::Marker& marker : wished.markers) send(coordinator, marker);
  if (wished.producer_id_wanted) want_producer_id(coordinator);
}

bool Transactions::goes_before(const Coordinator& coordinator, const txn::TopicPartition& place) const {
  const cluster::TopicHandle topic = context_.image->topic(place.topic);
  if (!topic) return false;
  const PartitionState* behind = partitions_.find({topic->id, PartitionId{place.partition}});
  const PartitionState* own = coordinator.log.partition();
  return behind != nullptr && behind->log != nullptr && own != nullptr && own->log != nullptr &&
         log::Storage::goes_before(*own->log, *behind->log);
}

void Transactions::send(Coordinator& coordinator, const txn::Marker& marker) {
  const cluster::TopicHandle topic = context_.image->topic(marker.partition.topic);
  const PartitionId partition{marker.partition.partition};
  if (!topic || topic->partition(partition) == nullptr) {
    return coordinator.machine.marked(marker.token, wire::ErrorCode::unknown_topic_or_partition, context_.now,
                                      effects_);
  }
  auto gather = calls_.begin(1, [this, key = coordinator.log.key(),
                                 token = marker.token](std::vector<AnswerBody>& answers) {
    Coordinator* asker = find(key);
    if (asker == nullptr) return;
    asker->machine.marked(token, std::get<PartitionAnswer>(answers.front()).error, context_.now, effects_);
    carry_out(*asker);
  });
  gather.ask(context_.home_of(*topic, partition), 0,
             MarkerCall{.topic_id = topic->id,
                        .partition = partition,
                        .producer = marker.producer,
                        .outcome = marker.outcome,
                        .version = marker.version,
                        .coordinator_epoch = marker.coordinator_epoch,
                        .coordinator = coordinator.log.key().partition.value});
}

void Transactions::want_producer_id(Coordinator& coordinator) {
  if (const auto id = admin_.take_producer_id()) {
    return coordinator.machine.give_producer_id(ProducerId{*id}, context_.now, effects_);
  }
  allocate_producer_ids(calls_, [this, key = coordinator.log.key()](const cluster::ProducerIdBlock& block) {
    if (block.error_code == 0) admin_.give_producer_ids(block);
    Coordinator* asker = find(key);
    if (asker == nullptr) return;
    if (const auto id = admin_.take_producer_id()) {
      asker->machine.give_producer_id(ProducerId{*id}, context_.now, effects_);
    } else {
      asker->machine.no_producer_id(context_.now, effects_);
    }
    carry_out(*asker);
  });
}

}  // namespace tailwater::node
