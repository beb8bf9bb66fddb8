#include "node/hanging.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tailwater::node {

void HangingTransactions::tick() {
  if (next_look_ > context_.now.monotonic) return;
  const bool first = next_look_ == Instant{};
  next_look_ =
      context_.now.monotonic + Duration::from_ms(context_.options.config.transaction_abort_check_interval_ms);
  if (!first && !asking_) look();
}

void HangingTransactions::look() {
  std::vector<Open> open;
  partitions_.each([&](const PartitionState& partition) {
    if (!partition.log->has_open_transactions()) return;
    const PartitionKey key{partition.topic->topic->id, partition.partition};
    for (const log::ProducerFacts& producer : partition.log->producers()) {
      if (!producer.in_transaction()) continue;
      open.push_back(
          {{producer.id, producer.epoch}, key, producer.transaction_first, producer.last_sequence});
    }
  });
  std::ranges::sort(open);
  std::vector<Open> old;
  std::ranges::set_intersection(open, seen_, std::back_inserter(old));
  seen_ = std::move(open);
  if (!old.empty()) ask(std::move(old));
}

void HangingTransactions::ask(std::vector<Open> open) {
  OpenTransactionsQuery query;
  for (const Open& each : open) {
    const cluster::TopicHandle topic = context_.image->topic(each.key.topic_id);
    query.open.push_back({each.producer, {topic ? topic->name : std::string(), each.key.partition.value}});
  }
  asking_ = true;
  const std::uint32_t shards = context_.options.shards;
  auto gather = calls_.begin(shards, [this, open = std::move(open)](const std::vector<AnswerBody>& answers) {
    asking_ = false;
    for (std::size_t each = 0; each < open.size(); ++each) {
      const bool is_known = std::ranges::any_of(answers, [&](const AnswerBody& answer) {
        return static_cast<bool>(std::get<OpenTransactionsAnswer>(answer).may_be_open.at(each));
      });
      if (!is_known) end(open[each]);
    }
  });
  for (std::uint32_t shard = 0; shard < shards; ++shard) gather.ask(ShardId{shard}, shard, query);
}

void HangingTransactions::end(const Open& open) {
  const PartitionState* partition = partitions_.find(open.key);
  if (partition == nullptr || partition->log == nullptr) return;
  // A coordinator whose transaction this was had ended it before it answered; then it is another one by now. And
  // who goes on writing may have begun the next one, of which a coordinator knows.
  const auto producer = partition->log->producer(open.producer.id);
  if (!producer || producer->transaction_first != open.first) return;
  if (producer->last_sequence != open.last_sequence) return;
  ++aborted;
  context_.note(LogLevel::warning, "a transaction of producer " + std::to_string(open.producer.id.value) +
                                       " hangs in " + partition->topic->topic->name + "-" +
                                       std::to_string(open.key.partition.value) + " from offset " +
                                       std::to_string(open.first.value) +
                                       " on: no coordinator knows of it, so it is aborted");
  auto gather = calls_.begin(1, [](const std::vector<AnswerBody>&) {});
  gather.ask(context_.self(), 0,
             MarkerCall{.topic_id = open.key.topic_id,
                        .partition = open.key.partition,
                        .producer = open.producer,
                        .outcome = txn::Outcome::abort,
                        .version = txn::ClientVersion::plain,
                        .coordinator_epoch = std::max(producer->coordinator_epoch, 0)});
}

}  // namespace tailwater::node
