// The metadata side of a shard. Shard 0 has the controller: it decides changes, has them stored, and tells
// every shard of the new image. A change is answered only when all shards have seen it, so that a client that
// was told "created" finds the topic on whatever connection it uses next.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/cluster/controller.hpp"
#include "node/calls.hpp"
#include "node/context.hpp"

namespace tailwater::node {

class Admin {
 public:
  explicit Admin(Context& context);

  // --- shard 0
  template <class Body>
  void ask(ShardId from, std::uint64_t gather, std::uint32_t part, const Body& body) {
    const cluster::Ticket ticket{next_ticket_++};
    askers_.emplace(ticket, Asking{from, gather, part});
    decide(ticket, body);
  }
  // The context has another static configuration.
  void reload();
  void stored(cluster::StoreToken token, cluster::StoreOutcome outcome);
  void image_seen(ShardId by, cluster::MetadataVersion version);
  // Takes what the controller has decided. True if an image is new.
  bool flush(std::vector<cluster::StoreAppend>& appends, std::vector<cluster::StoreSnapshot>& snapshots);
  // The newest stored image, if this shard has not published it yet.
  std::optional<cluster::ImageHandle> take_image();

  // --- every shard: producer ids of the block that this shard holds
  std::optional<std::int64_t> take_producer_id();
  void give_producer_ids(const cluster::ProducerIdBlock& block);

 private:
  struct Asking {
    ShardId from;
    std::uint64_t gather = 0;
    std::uint32_t part = 0;
  };
  struct HeldReply {
    cluster::MetadataVersion version;
    cluster::ControllerReply reply;
  };

  void decide(cluster::Ticket ticket, const EnsureTopicsCall& call);
  void decide(cluster::Ticket ticket, const ProducerIdsCall& call);
  void decide(cluster::Ticket ticket, const wire::CreateTopicsRequest& request);
  void decide(cluster::Ticket ticket, const wire::DeleteTopicsRequest& request);
  void decide(cluster::Ticket ticket, const wire::CreatePartitionsRequest& request);
  void decide(cluster::Ticket ticket, const wire::AlterConfigsRequest& request);
  void decide(cluster::Ticket ticket, const wire::IncrementalAlterConfigsRequest& request);
  void decide(cluster::Ticket ticket, const wire::ElectLeadersRequest& request);
  void decide(cluster::Ticket ticket, const wire::AlterPartitionReassignmentsRequest& request);
  void decide(cluster::Ticket ticket, const wire::UpdateFeaturesRequest& request);
  void send_replies();

  Context& context_;
  std::unique_ptr<cluster::MetadataController> controller_;  // shard 0 only
  std::uint64_t next_ticket_ = 1;
  std::map<cluster::Ticket, Asking> askers_;
  std::vector<cluster::MetadataVersion> seen_;  // by shard: the newest image that it has
  cluster::MetadataVersion published_;
  std::deque<HeldReply> held_;  // until all shards have seen the image
  std::optional<cluster::ImageHandle> unpublished_;
  std::int64_t next_producer_id_ = 0;
  std::int64_t producer_ids_end_ = 0;
};

}  // namespace tailwater::node
