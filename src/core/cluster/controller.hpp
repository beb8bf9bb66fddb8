// The controller: the one broker that decides about metadata. Each call decides a request against the newest
// image, changes that are not yet stored included, into records and an answer; nothing is answered with
// success before its records are on stable storage, and nothing is applied if storing fails.
//
// Group commit: decisions are gathered and flush(), called at the end of a turn, emits them as one entry. One
// append is in flight at a time; what is decided meanwhile goes out together with the next flush. If a batch
// would be larger than an entry may be, it is written as several entries that readers apply as a whole or not
// at all.
//
// A pure machine: single-threaded, no locks, no clock; random ids come from the seed.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "core/cluster/config.hpp"
#include "core/cluster/image.hpp"
#include "core/cluster/metadata_store.hpp"
#include "wire/api/alter_configs.hpp"
#include "wire/api/alter_partition.hpp"
#include "wire/api/alter_partition_reassignments.hpp"
#include "wire/api/create_partitions.hpp"
#include "wire/api/create_topics.hpp"
#include "wire/api/delete_topics.hpp"
#include "wire/api/elect_leaders.hpp"
#include "wire/api/incremental_alter_configs.hpp"
#include "wire/api/list_partition_reassignments.hpp"
#include "wire/api/update_features.hpp"

namespace tailwater::cluster {

// The caller's name for a request; comes back with its answer.
using Ticket = StrongId<struct TicketTag, std::uint64_t>;

class ChangelogReader;

struct ProducerIdBlock {
  std::int16_t error_code = 0;  // Kafka's
  std::int64_t first = -1;
  std::int32_t count = 0;
};

// The outcome of ensure_topics, one for each name in its order. Code 0: it exists now.
struct EnsuredTopics {
  struct Item {
    std::string name;
    std::int16_t error_code = 0;
    std::string message;
  };
  std::vector<Item> topics;
};

using ControllerResponse =
    std::variant<wire::CreateTopicsResponse, wire::DeleteTopicsResponse, wire::CreatePartitionsResponse,
                 wire::AlterConfigsResponse, wire::IncrementalAlterConfigsResponse,
                 wire::ElectLeadersResponse, wire::UpdateFeaturesResponse, wire::AlterPartitionResponse,
                 wire::AlterPartitionReassignmentsResponse, EnsuredTopics, ProducerIdBlock>;

struct ControllerReply {
  Ticket ticket;
  ControllerResponse response;
};

// Carry out in this order: publish the image, send the replies, hand the appends and snapshots to the store.
struct ControllerEffects {
  ImageHandle image;  // null: unchanged
  std::vector<ControllerReply> replies;
  std::vector<StoreAppend> appends;
  std::vector<StoreSnapshot> snapshots;
};

class MetadataController {
 public:
  struct Options {
    BrokerId self;
    ControllerEpoch epoch;
    std::uint64_t seed = 0;
    std::size_t entry_bytes_max = kEntryBytesMax;
    std::uint64_t snapshot_every = 1000;  // entries
  };
  // `image` is the newest; `from_file` is this broker's static configuration.
  MetadataController(Options options, BrokerConfig from_file, ImageHandle image);
  ~MetadataController();

  // Once at the start on an empty changelog: the cluster's id and the feature levels.
  void bootstrap(std::string cluster_id);
  // The present registrations of brokers, all of them. A broker that is missing is fenced: its partitions get
  // other leaders where they can.
  void brokers_changed(const std::vector<Registration>& registrations);

  void create_topics(Ticket ticket, const wire::CreateTopicsRequest& request);
  void delete_topics(Ticket ticket, const wire::DeleteTopicsRequest& request);
  void create_partitions(Ticket ticket, const wire::CreatePartitionsRequest& request);
  void alter_configs(Ticket ticket, const wire::AlterConfigsRequest& request);
  void incremental_alter_configs(Ticket ticket, const wire::IncrementalAlterConfigsRequest& request);
  void elect_leaders(Ticket ticket, const wire::ElectLeadersRequest& request);
  void update_features(Ticket ticket, const wire::UpdateFeaturesRequest& request);
  // What leaders propose about who is in sync.
  void alter_partition(Ticket ticket, const wire::AlterPartitionRequest& request);
  void alter_partition_reassignments(Ticket ticket, const wire::AlterPartitionReassignmentsRequest& request);
  // Creates topics that do not exist, with the broker's defaults; internal topics with their own settings and
  // with as many replicas as there are live brokers, at most the configured number.
  void ensure_topics(Ticket ticket, const std::vector<std::string>& names);
  // Reserves the next 1,000 producer ids for a broker.
  void allocate_producer_ids(Ticket ticket, BrokerId broker);

  // This broker has another static configuration from now on.
  void reload(BrokerConfig from_file);

  // The outcome of an append. Unknown tokens are ignored.
  void stored(StoreToken token, StoreOutcome outcome);

  // Goes on from what was read from the store: after an outcome that was unknown, or after another controller
  // wrote. Answers everything that is not stored with an error.
  void resync(const ChangelogReader& newest);

  // Appends to `effects` everything that is ready.
  void flush(ControllerEffects& effects);

  // The newest stored image.
  const ImageHandle& image() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reassignments that are under way; any broker can answer it.
wire::ListPartitionReassignmentsResponse list_reassignments(
    const MetadataImage& image, const wire::ListPartitionReassignmentsRequest& request);

}  // namespace tailwater::cluster
