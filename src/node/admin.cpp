#include "node/admin.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace tailwater::node {

Admin::Admin(Context& context)
    : context_(context),
      seen_(context.options.shards, context.image->version),
      published_(context.image->version) {
  if (context.self() != ShardId{0}) return;
  controller_ = std::make_unique<cluster::MetadataController>(
      cluster::MetadataController::Options{.self = context.options.broker,
                                           .epoch = context.image->controller_epoch,
                                           .seed = context.random.next()},
      context.options.config, context.image);
}

void Admin::decide(cluster::Ticket ticket, const EnsureTopicsCall& call) {
  controller_->ensure_topics(ticket, call.names);
}
void Admin::decide(cluster::Ticket ticket, const ProducerIdsCall&) {
  controller_->allocate_producer_ids(ticket, context_.options.broker);
}
void Admin::decide(cluster::Ticket ticket, const wire::CreateTopicsRequest& request) {
  controller_->create_topics(ticket, request);
}
void Admin::decide(cluster::Ticket ticket, const wire::DeleteTopicsRequest& request) {
  controller_->delete_topics(ticket, request);
}
void Admin::decide(cluster::Ticket ticket, const wire::CreatePartitionsRequest& request) {
  controller_->create_partitions(ticket, request);
}
void Admin::decide(cluster::Ticket ticket, const wire::AlterConfigsRequest& request) {
  controller_->alter_configs(ticket, request);
}
void Admin::decide(cluster::Ticket ticket, const wire::IncrementalAlterConfigsRequest& request) {
  controller_->incremental_alter_configs(ticket, request);
}
void Admin::decide(cluster::Ticket ticket, const wire::ElectLeadersRequest& request) {
  controller_->elect_leaders(ticket, request);
}
void Admin::decide(cluster::Ticket ticket, const wire::AlterPartitionReassignmentsRequest& request) {
  controller_->alter_partition_reassignments(ticket, request);
}
void Admin::decide(cluster::Ticket ticket, const wire::UpdateFeaturesRequest& request) {
  controller_->update_features(ticket, request);
}

void Admin::reload() {
  if (controller_) controller_->reload(context_.options.config);
}

void Admin::stored(cluster::StoreToken token, cluster::StoreOutcome outcome) {
  if (!outcome) {
    context_.note(LogLevel::error, "the metadata store refused a change: " + outcome.error().message);
  }
  if (controller_) controller_->stored(token, std::move(outcome));
}

bool Admin::flush(std::vector<cluster::StoreAppend>& appends,
                  std::vector<cluster::StoreSnapshot>& snapshots) {
  if (!controller_) return false;
  cluster::ControllerEffects effects;
  controller_->flush(effects);
  std::ranges::move(effects.appends, std::back_inserter(appends));
  std::ranges::move(effects.snapshots, std::back_inserter(snapshots));
  if (effects.image) {
    published_ = effects.image->version;
    unpublished_ = effects.image;
    for (std::uint32_t shard = 1; shard < context_.options.shards; ++shard) {
      context_.send(ShardId{shard}, ImageMail{effects.image});
    }
  }
  for (auto& reply : effects.replies) held_.push_back({published_, std::move(reply)});
  send_replies();
  return unpublished_.has_value();
}

std::optional<cluster::ImageHandle> Admin::take_image() {
  return std::exchange(unpublished_, std::nullopt);
}

void Admin::image_seen(ShardId by, cluster::MetadataVersion version) {
  CHECK(by.value < seen_.size());
  seen_[by.value] = std::max(seen_[by.value], version);
  send_replies();
}

void Admin::send_replies() {
  const cluster::MetadataVersion everywhere = *std::ranges::min_element(seen_);
  while (!held_.empty() && held_.front().version <= everywhere) {
    cluster::ControllerReply& reply = held_.front().reply;
    const auto asker = askers_.find(reply.ticket);
    CHECK(asker != askers_.end());
    const Asking& asking = asker->second;
    context_.send(asking.from, AnswerMail{asking.gather, asking.part, std::move(reply.response)});
    askers_.erase(asker);
    held_.pop_front();
  }
}

std::optional<std::int64_t> Admin::take_producer_id() {
  if (next_producer_id_ >= producer_ids_end_) return std::nullopt;
  return next_producer_id_++;
}

void Admin::give_producer_ids(const cluster::ProducerIdBlock& block) {
  next_producer_id_ = block.first;
  producer_ids_end_ = block.first + block.count;
}

}  // namespace tailwater::node
