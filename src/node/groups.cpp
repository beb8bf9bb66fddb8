#include "node/groups.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "records/batch.hpp"

namespace tailwater::node {

namespace {

group::ReplyBody refusal(const GroupRequest& request, wire::ErrorCode error) {
  return std::visit(
      [error]<class Asked>(const Asked& asked) -> group::ReplyBody {
        typename wire::ApiOf<Asked>::Response response;
        if constexpr (
            requires { response.topics.front().partitions.front().error_code; } &&
            !requires { response.error_code; }) {
          for (const auto& topic : asked.topics) {
            auto& answered = response.topics.emplace_back();
            answered.name = topic.name;
            answered.topic_id = topic.topic_id;
            for (const auto& partition : topic.partitions) {
              auto& item = answered.partitions.emplace_back();
              item.partition_index = partition.partition_index;
              item.error_code = error;
            }
          }
        } else {
          response.error_code = error;
        }
        if constexpr (std::is_same_v<Asked, wire::JoinGroupRequest>) response.member_id = asked.member_id;
        return response;
      },
      request);
}

}  // namespace

group::Options group_options(const cluster::BrokerConfig& config) {
  group::Options options;
  options.session_timeout_min = Duration::from_ms(config.group_min_session_timeout_ms);
  options.session_timeout_max = Duration::from_ms(config.group_max_session_timeout_ms);
  options.initial_rebalance_delay = Duration::from_ms(config.group_initial_rebalance_delay_ms);
  options.group_size_max = config.group_max_size;
  options.offsets_retention = Duration::from_ms(config.offsets_retention_ms);
  options.expiry_interval = Duration::from_ms(config.offsets_retention_check_interval_ms);
  options.offset_metadata_max =
      static_cast<std::size_t>(std::max<std::int64_t>(config.offset_metadata_max_bytes, 0));
  return options;
}

void Groups::add(std::int32_t number, CoordinatorLog&& log) {
  const std::uint64_t seed = context_.random.next();
  coordinators_.try_emplace(number, std::move(log), group_options(context_.options.config), Prng(seed));
}

void Groups::take_over(Coordinator& coordinator) {
  coordinator.machine.loaded(context_.now, effects_);
  // A broker that died after it had deleted a topic finds its offsets again, and others were deleted, and
  // made anew, while this was loading.
  const auto is_gone = [this](std::string_view topic, const Uuid& id) { return this->is_gone(topic, id); };
  coordinator.machine.forget_topics(is_gone, context_.now, effects_);
}

bool Groups::is_gone(std::string_view name, const Uuid& id) const {
  const cluster::TopicHandle topic = context_.image->topic(name);
  return !topic || (!id.is_zero() && topic->id != id);
}

void Groups::topics_changed(const cluster::MetadataImage& before) {
  std::set<std::string, std::less<>> gone;
  for (const cluster::TopicChange& change : cluster::changed_topics(before, *context_.image)) {
    if (!change.after) gone.insert(change.before->name);
  }
  if (gone.empty()) return;
  for (auto& [number, coordinator] : coordinators_) {
    const auto is_gone = [this, &gone](std::string_view topic, const Uuid& id) {
      return gone.contains(topic) && (id.is_zero() || this->is_gone(topic, id));
    };
    coordinator.machine.forget_topics(is_gone, context_.now, effects_);
    carry_out(coordinator);
  }
}

// --- questions

group::Call Groups::call_of(Coordinator& coordinator, const Asking& asking, const GroupCaller& caller) {
  return {.ticket = ticket_of(coordinator, asking),
          .version = caller.version,
          .client_id = caller.client_id,
          .client_host = caller.client_host,
          .now = context_.now};
}

void Groups::refuse(const Asking& asking, const GroupRequest& request, wire::ErrorCode error) {
  answer(asking, refusal(request, error));
}

namespace {

constexpr std::int16_t kFirstAbortableCommit = 4;  // of TxnOffsetCommit: knows TRANSACTION_ABORTABLE
constexpr std::int16_t kFirstAddingCommit = 5;     // the broker adds the partition to the transaction

// What a producer is told when its transaction cannot take offsets.
wire::ErrorCode commit_error(wire::ErrorCode verification, std::int16_t version) {
  // Whoever is late is told so in one way, whether the log of offsets or the coordinator knows it first.
  if (verification == wire::ErrorCode::producer_fenced) return wire::ErrorCode::invalid_producer_epoch;
  if (verification == wire::ErrorCode::transaction_abortable && version < kFirstAbortableCommit) {
    return wire::ErrorCode::invalid_txn_state;
  }
  if (verification == wire::ErrorCode::concurrent_transactions && version < kFirstAddingCommit) {
    return wire::ErrorCode::coordinator_load_in_progress;  // the one that older clients send again for
  }
  return verification;
}

}  // namespace

// As a batch that a producer sends: offsets are taken only into a transaction that this partition belongs to.
bool Groups::admit(Coordinator& coordinator, const Asking& asking, GroupCall& asked,
                   const wire::TxnOffsetCommitRequest& request) {
  PartitionState* partition = coordinator.log.partition();
  if (partition == nullptr || partition->log == nullptr || coordinator.log.loading()) return true;
  if (request.group_id.empty()) return true;  // refused by the machine, and no reason to begin a transaction
  const txn::ProducerIdentity producer{ProducerId{request.producer_id},
                                       ProducerEpoch{request.producer_epoch}};
  const auto known = partition->log->producer(producer.id);
  if (known && known->epoch > producer.epoch) {
    refuse(asking, asked.request, wire::ErrorCode::invalid_producer_epoch);
    return false;
  }
  const bool adds = asked.caller.version >= kFirstAddingCommit;
  if (partitions_.in_transaction(*partition, producer)) return true;
  if (!adds && !partitions_.verifies_transactions()) return true;
  Partitions::VerificationWish wish{.key = coordinator.log.key(),
                                    .transactional_id = std::string(request.transactional_id),
                                    .producer = producer,
                                    .adds = adds};
  partitions_.verify(*partition, std::move(wish),
                     [this, asking, asked = std::move(asked)](wire::ErrorCode error) mutable {
                       if (error == wire::ErrorCode::none) {
                         return ask(asking.from, asking.gather, asking.part, asked);
                       }
                       refuse(asking, asked.request, commit_error(error, asked.caller.version));
                     });
  return false;
}

void Groups::transaction_ended(const Partitions::Ended& ended) {
  Coordinator* coordinator = find(ended.key);
  if (coordinator == nullptr || coordinator->log.loading()) return;
  // What was committed before the marker belongs to it, what came behind to the next one.
  coordinator->log.advanced(ended.marker);
  carry_out(*coordinator);
  coordinator->machine.transaction_ended(ended.producer.id, ended.outcome == txn::Outcome::commit,
                                         context_.now, effects_);
  carry_out(*coordinator);
}

void Groups::ask(ShardId from, std::uint64_t gather, std::uint32_t part, GroupCall& asked) {
  const Asking asking{from, gather, part};
  Coordinator* coordinator = find(asked.coordinator);
  if (coordinator == nullptr) return refuse(asking, asked.request, wire::ErrorCode::not_coordinator);
  const auto* in_transaction = std::get_if<wire::TxnOffsetCommitRequest>(&asked.request);
  if (in_transaction != nullptr && !admit(*coordinator, asking, asked, *in_transaction)) return;
  group::Call call = call_of(*coordinator, asking, asked.caller);
  // What the asker saw of topics may be over. (An older image would not know topics that the asker knows.)
  const group::IsGone is_gone = [this](std::string_view topic, const Uuid& id) {
    return this->is_gone(topic, id);
  };
  if (asked.caller.image < context_.image->version) call.is_gone = &is_gone;
  group::GroupCoordinator& machine = coordinator->machine;
  struct Visitor {
    group::GroupCoordinator& machine;
    const group::Call& call;
    group::GroupEffects& out;
    void operator()(const wire::JoinGroupRequest& request) { machine.join(call, request, out); }
    void operator()(const wire::SyncGroupRequest& request) { machine.sync(call, request, out); }
    void operator()(const wire::HeartbeatRequest& request) { machine.heartbeat(call, request, out); }
    void operator()(const wire::LeaveGroupRequest& request) { machine.leave(call, request, out); }
    void operator()(const wire::OffsetCommitRequest& request) { machine.offset_commit(call, request, out); }
    void operator()(const wire::TxnOffsetCommitRequest& request) {
      machine.txn_offset_commit(call, request, out);
    }
    void operator()(const wire::OffsetDeleteRequest& request) { machine.offset_delete(call, request, out); }
  };
  std::visit(Visitor{machine, call, effects_}, asked.request);
  carry_out(*coordinator);
}

void Groups::ask(ShardId from, std::uint64_t gather, std::uint32_t part, OffsetFetchCall& asked) {
  const Asking asking{from, gather, part};
  Coordinator* coordinator = find(asked.coordinator);
  if (coordinator != nullptr) {
    return answer(asking, coordinator->machine.offset_fetch(asked.group, asked.stability));
  }
  wire::OffsetFetchResponse::OffsetFetchResponseGroup refused;
  refused.group_id = asked.group.group_id;
  refused.error_code = wire::ErrorCode::not_coordinator;
  answer(asking, std::move(refused));
}

void Groups::ask(ShardId from, std::uint64_t gather, std::uint32_t part, DescribeGroupCall& asked) {
  const Asking asking{from, gather, part};
  Coordinator* coordinator = find(asked.coordinator);
  if (coordinator != nullptr) {
    return answer(asking, coordinator->machine.describe_group(asked.group, asked.version));
  }
  wire::DescribeGroupsResponse::DescribedGroup refused;
  refused.group_id = asked.group;
  refused.error_code = wire::ErrorCode::not_coordinator;
  answer(asking, std::move(refused));
}

void Groups::ask(ShardId from, std::uint64_t gather, std::uint32_t part, DeleteGroupCall& asked) {
  const Asking asking{from, gather, part};
  Coordinator* coordinator = find(asked.coordinator);
  if (coordinator == nullptr) {
    wire::DeleteGroupsResponse::DeletableGroupResult refused;
    refused.group_id = asked.group;
    refused.error_code = wire::ErrorCode::not_coordinator;
    return answer(asking, group::ReplyBody{std::move(refused)});
  }
  coordinator->machine.delete_group(call_of(*coordinator, asking, asked.caller), asked.group, effects_);
  carry_out(*coordinator);
}

void Groups::ask(ShardId from, std::uint64_t gather, std::uint32_t part, ListGroupsCall& asked) {
  ListGroupsAnswer listed;
  for (const auto& [number, coordinator] : coordinators_) {
    const wire::ErrorCode error = coordinator.machine.list_groups(asked.request, listed.groups);
    if (error != wire::ErrorCode::none) listed.error = error;
  }
  answer({from, gather, part}, std::move(listed));
}

// --- effects

void Groups::fulfil(Coordinator& coordinator, group::GroupEffects& wished) {
  for (auto& reply : wished.replies) answer(coordinator, reply.ticket, std::move(reply.body));
  for (group::Append& append : wished.appends) {
    coordinator.log.write(append.token.value, std::move(append.batch));
  }
}

std::vector<GroupMetrics> Groups::metrics() const {
  std::vector<GroupMetrics> all;
  std::vector<wire::ListGroupsResponse::ListedGroup> groups;
  for (const auto& [number, coordinator] : coordinators_) {
    groups.clear();
    if (coordinator.machine.list_groups({}, groups) != wire::ErrorCode::none) continue;
    for (const auto& listed : groups) {
      GroupMetrics& metrics = all.emplace_back();
      metrics.group = listed.group_id;
      metrics.state = listed.group_state;
      metrics.members =
          static_cast<std::uint32_t>(coordinator.machine.describe_group(listed.group_id, 5).members.size());
      const auto offsets =
          coordinator.machine.offset_fetch({.group_id = listed.group_id, .topics = std::nullopt});
      for (const auto& topic : offsets.topics) {
        for (const auto& partition : topic.partitions) {
          metrics.commits.push_back({topic.name, partition.partition_index, partition.committed_offset});
        }
      }
    }
  }
  return all;
}

}  // namespace tailwater::node
