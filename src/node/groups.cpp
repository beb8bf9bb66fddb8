#include "node/groups.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "records/batch.hpp"

namespace tailwater::node {

namespace {

// What one turn loads of all coordinators together: some thousand offsets, a few milliseconds.
constexpr std::size_t kLoadStepBytes = std::size_t{256} << 10;

// What the log needs to know of a batch that a coordinator of ours made.
records::BatchInfo info_of(const records::BatchView& batch) {
  return {.size = batch.size(),
          .records_count = batch.records_count(),
          .last_offset_delta = batch.last_offset_delta(),
          .first_timestamp = batch.base_timestamp(),
          .max_timestamp = batch.max_timestamp(),
          .producer_id = batch.producer_id(),
          .producer_epoch = batch.producer_epoch(),
          .base_sequence = batch.base_sequence(),
          .codec = batch.codec(),
          .transactional = batch.is_transactional(),
          .records_walked = true};
}

group::ReplyBody refusal(const GroupRequest& request, wire::ErrorCode error) {
  return std::visit(
      [error]<class Asked>(const Asked& asked) -> group::ReplyBody {
        typename wire::ApiOf<Asked>::Response response;
        if constexpr (std::is_same_v<Asked, wire::OffsetCommitRequest>) {
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

Groups::Groups(Context& context, Partitions& partitions) : context_(context), partitions_(partitions) {}

Groups::Coordinator* Groups::find(std::int32_t partition) {
  const auto at = coordinators_.find(partition);
  return at == coordinators_.end() ? nullptr : &at->second;
}

void Groups::follow() {
  const cluster::TopicHandle topic = context_.image->topic(cluster::kOffsetsTopic);
  for (auto at = coordinators_.begin(); at != coordinators_.end();) {
    if (topic && at->second.key.topic_id == topic->id) {
      ++at;
      continue;
    }
    at->second.machine.unload(effects_);
    carry_out(at->second);
    at = coordinators_.erase(at);
  }
  if (!topic) return;
  for (std::size_t index = 0; index < topic->partitions.size(); ++index) {
    const auto number = static_cast<std::int32_t>(index);
    const PartitionKey key{topic->id, PartitionId{number}};
    const PartitionState* partition = partitions_.find(key);
    if (partition == nullptr || partition->log == nullptr || coordinators_.contains(number)) continue;
    const std::uint64_t seed = context_.random.next();
    const auto made =
        coordinators_.try_emplace(number, key, group_options(context_.options.config), Prng(seed)).first;
    made->second.load_from = partition->log->start_offset();
  }
}

// One step; true if another one can follow at once.
bool Groups::load(Coordinator& coordinator) {
  PartitionState* partition = partitions_.find(coordinator.key);
  if (partition == nullptr || partition->log == nullptr || coordinator.load_failed) return false;
  log::Storage& storage = partitions_.storage();
  const Offset end = partition->log->end_offset();
  if (coordinator.load_from < end) {
    std::vector<Bytes> pieces;
    const log::ReadPlan plan = storage.plan_read(
        *partition->log, {.from = coordinator.load_from, .bytes_max = kLoadStepBytes, .upper_bound = end},
        pieces);
    if (plan.kind == log::ReadPlan::Kind::need) {
      coordinator.load_ticket = plan.ticket;
      return false;
    }
    if (plan.kind == log::ReadPlan::Kind::at_end) {
      coordinator.load_from = end;  // compaction has left nothing behind this offset
      return true;
    }
    if (plan.kind != log::ReadPlan::Kind::hot) {
      context_.note(LogLevel::error, "cannot load the groups of __consumer_offsets-" +
                                         std::to_string(coordinator.key.partition.value) + " from offset " +
                                         std::to_string(coordinator.load_from.value));
      // Stays loading: clients are told to wait, nothing is answered from half of the state.
      coordinator.load_failed = true;
      return false;
    }
    load_buffer_.clear();  // a batch may lie across pieces
    for (const Bytes piece : pieces) load_buffer_.insert(load_buffer_.end(), piece.begin(), piece.end());
    storage.unpin(plan.pin);
    replay(coordinator);
    coordinator.load_from = plan.next;
    return true;
  }
  coordinator.loading = false;
  coordinator.machine.loaded(context_.now, effects_);
  carry_out(coordinator);
  return false;
}

void Groups::replay(Coordinator& coordinator) {
  records::BatchCursor cursor(load_buffer_);
  while (const auto batch = cursor.next()) {
    if (batch->last_offset() < coordinator.load_from) continue;
    const auto replayed = coordinator.machine.replay(batch->bytes(), &codecs_);
    if (!replayed) {
      context_.note(LogLevel::error, "a batch of __consumer_offsets-" +
                                         std::to_string(coordinator.key.partition.value) +
                                         " cannot be read: " + replayed.error().message);
    }
  }
}

void Groups::ready(log::ReadTicket ticket) {
  for (auto& [number, coordinator] : coordinators_) {
    if (coordinator.loading && coordinator.load_ticket == ticket) coordinator.load_ticket.reset();
  }
}

// --- questions

void Groups::answer(const Asking& asking, AnswerBody body) {
  context_.send(asking.from, AnswerMail{asking.gather, asking.part, std::move(body)});
}

group::Call Groups::call_of(Coordinator& coordinator, const Asking& asking, const GroupCaller& caller) {
  const group::Ticket ticket{next_ticket_++};
  coordinator.askers.emplace(ticket, asking);
  return {.ticket = ticket,
          .version = caller.version,
          .client_id = caller.client_id,
          .client_host = caller.client_host,
          .now = context_.now};
}

void Groups::refuse(const Asking& asking, const GroupRequest& request) {
  answer(asking, refusal(request, wire::ErrorCode::not_coordinator));
}

void Groups::ask(ShardId from, std::uint64_t gather, std::uint32_t part, GroupCall& asked) {
  const Asking asking{from, gather, part};
  Coordinator* coordinator = find(asked.coordinator);
  if (coordinator == nullptr) return refuse(asking, asked.request);
  const group::Call call = call_of(*coordinator, asking, asked.caller);
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
    void operator()(const wire::OffsetDeleteRequest& request) { machine.offset_delete(call, request, out); }
  };
  std::visit(Visitor{machine, call, effects_}, asked.request);
  carry_out(*coordinator);
}

void Groups::ask(ShardId from, std::uint64_t gather, std::uint32_t part, OffsetFetchCall& asked) {
  const Asking asking{from, gather, part};
  Coordinator* coordinator = find(asked.coordinator);
  if (coordinator != nullptr) return answer(asking, coordinator->machine.offset_fetch(asked.group));
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

void Groups::carry_out(Coordinator& coordinator) {
  // Refused appends are told back at once and may wish more.
  while (!effects_.replies.empty() || !effects_.appends.empty() || effects_.wake_at) {
    group::GroupEffects wished;
    std::swap(wished, effects_);
    if (wished.wake_at) coordinator.wake_at = *wished.wake_at;
    for (auto& reply : wished.replies) {
      const auto asker = coordinator.askers.find(reply.ticket);
      CHECK(asker != coordinator.askers.end());
      answer(asker->second, std::move(reply.body));
      coordinator.askers.erase(asker);
    }
    for (const group::Append& append : wished.appends) write(coordinator, append);
  }
}

void Groups::write(Coordinator& coordinator, const group::Append& append) {
  PartitionState* partition = partitions_.find(coordinator.key);
  if (partition == nullptr || partition->log == nullptr) {
    return coordinator.machine.persisted(append.token, wire::ErrorCode::not_coordinator, context_.now,
                                         effects_);
  }
  if (!coordinator.deferred.empty() || partitions_.held_back()) {
    coordinator.deferred.push_back(append);
    return;
  }
  write_now(coordinator, *partition, append);
}

void Groups::write_deferred(Coordinator& coordinator) {
  PartitionState* partition = partitions_.find(coordinator.key);
  if (partition == nullptr || partition->log == nullptr) return;
  while (!coordinator.deferred.empty() && !partitions_.held_back()) {
    const group::Append next = std::move(coordinator.deferred.front());
    coordinator.deferred.pop_front();
    write_now(coordinator, *partition, next);
  }
  carry_out(coordinator);
}

void Groups::write_now(Coordinator& coordinator, PartitionState& partition, const group::Append& append) {
  const records::BatchView batch(append.batch);
  const auto appended =
      partitions_.storage().append(*partition.log, append.batch, info_of(batch),
                                   {.epoch = partition.epoch, .origin = log::Origin::broker}, context_.now);
  if (!appended) {
    return coordinator.machine.persisted(append.token, wire::ErrorCode::kafka_storage_error, context_.now,
                                         effects_);
  }
  coordinator.writing.push_back({appended->last, append.token});
}

void Groups::fail_writes(Coordinator& coordinator, wire::ErrorCode error) {
  std::deque<Writing> failed;
  failed.swap(coordinator.writing);
  for (const group::Append& append : std::exchange(coordinator.deferred, {})) {
    failed.push_back({Offset{}, append.token});
  }
  for (const Writing& write : failed)
    coordinator.machine.persisted(write.token, error, context_.now, effects_);
  carry_out(coordinator);
}

void Groups::advanced(const PartitionState& partition) {
  Coordinator* coordinator = find(partition.partition.value);
  if (coordinator == nullptr || coordinator->key.topic_id != partition.topic->topic->id) return;
  const Offset durable = partition.log->durable_end();
  while (!coordinator->writing.empty() && coordinator->writing.front().last < durable) {
    const group::AppendToken token = coordinator->writing.front().token;
    coordinator->writing.pop_front();
    coordinator->machine.persisted(token, wire::ErrorCode::none, context_.now, effects_);
  }
  carry_out(*coordinator);
}

void Groups::directories_failed() {
  for (auto& [number, coordinator] : coordinators_) {
    const PartitionState* partition = partitions_.find(coordinator.key);
    const bool lost =
        partition == nullptr || partition->log == nullptr ||
        partitions_.storage().report(partition->log->identity().dir).state == log::DirState::offline;
    if (lost) fail_writes(coordinator, wire::ErrorCode::kafka_storage_error);
  }
}

void Groups::tick() {
  load_next();
  for (auto& [number, coordinator] : coordinators_) {
    if (!coordinator.deferred.empty()) write_deferred(coordinator);
    if (coordinator.wake_at > context_.now.monotonic) continue;
    coordinator.wake_at = Instant::max();
    coordinator.machine.tick(context_.now, effects_);
    carry_out(coordinator);
  }
}

// Reads of all that load are begun; what has come is taken in, one step a turn.
void Groups::load_next() {
  bool stepped = false;
  for (auto& [number, coordinator] : coordinators_) {
    if (!coordinator.waits_for_loading() || stepped) continue;
    stepped = load(coordinator);
  }
}

Instant Groups::next_deadline() const {
  Instant next = Instant::max();
  for (const auto& [number, coordinator] : coordinators_) {
    if (coordinator.waits_for_loading()) return context_.now.monotonic;
    next = std::min(next, coordinator.wake_at);
  }
  return next;
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
