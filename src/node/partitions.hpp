// The partitions that live on this shard: their logs, who waits for their records to become durable, and who
// waits for records to come. This is the owner's side of produce and fetch; the connection's side is
// produce.hpp and fetch.hpp.
//
//   produce  validated, appended, answered when the log's durable end has passed the batch (acks=1 as well:
//            an acknowledged record is on disk); acks=0 is not answered
//   fetch    planned against the durable end, which is the high watermark as long as there is one replica
//
// Pieces of a fetch stay pinned until they are returned. Transactions are in partition_transactions.cpp: the
// first batch of one waits until its coordinator has said that the partition belongs to it (KIP-890), and
// markers end it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/hash_map.hpp"
#include "base/wait_queue.hpp"
#include "core/cluster/config.hpp"
#include "core/log/approach.hpp"
#include "core/log/storage.hpp"
#include "core/txn/types.hpp"
#include "node/context.hpp"
#include "node/mail.hpp"
#include "node/watches.hpp"
#include "records/compression.hpp"
#include "records/validate.hpp"

namespace tailwater::node {

// Who asked: an answer goes to this request of that shard.
struct Asker {
  ShardId shard;
  std::uint64_t request = 0;
  friend bool operator==(const Asker&, const Asker&) = default;
};

struct TopicState {
  cluster::TopicHandle topic;
  cluster::TopicConfig config;
  records::ProduceRules rules;
};

// Who asked for a marker.
struct MarkerAsker {
  ShardId shard;
  std::uint64_t gather = 0;
  std::uint32_t part = 0;
};

struct PartitionState {
  std::shared_ptr<TopicState> topic;
  PartitionId partition;
  LeaderEpoch epoch;
  log::Log* log = nullptr;  // null: its directory is offline

  struct Produced {
    Asker asker;
    Offset last;
    ProduceResult result;
  };
  WaitQueue<Produced> produced;
  WatchList watches;

  // A producer that wants to begin a transaction here, and what its coordinator is asked about it. It ends
  // with the first batch, or with a marker: what was found out before a marker says nothing about after it.
  struct Verification {
    txn::ProducerIdentity producer;
    bool granted = false;
    bool overtaken = false;  // by a marker, while the coordinator was asked
    std::vector<std::move_only_function<void(ErrorCode)>> waiting;
  };
  std::vector<Verification> verifications;

  // A producer whose batch was refused because its coordinator did not vouch for it: what it sent behind that batch
  // must not become the first of its transaction. Until a batch comes, or a marker; only the newest few.
  struct Unvouched {
    txn::ProducerIdentity producer;
    std::int32_t sequence = 0;  // the lowest that was refused
  };
  std::vector<Unvouched> unvouched;

  // Markers that do not count yet.
  struct Marked {
    Offset last;
    txn::ProducerIdentity producer;
    txn::Outcome outcome{};
  };
  WaitQueue<Marked> marked;
  // Whoever asked for a marker may go on when no crash can take it any more. It may count before that: readers
  // of a topic with tailwater.durability=os are shown it with the records around it.
  struct Marking {
    MarkerAsker asker;
    Offset last;
  };
  WaitQueue<Marking> marking;

  std::int64_t high_watermark() const { return log->durable_end().value; }
};

class Partitions {
 public:
  Partitions(Context& context, log::StorageOptions options);
  ~Partitions();

  log::Storage& storage() { return storage_; }

  // A log that was made after the image: what it does not know was not deleted, but the image is an old one.
  const log::Log* newer_than(const cluster::MetadataImage& image) const;
  // After recovery: the logs are matched with the image; logs that it does not know any more are removed.
  // REQUIRES: none is newer than the image.
  void adopt(const cluster::MetadataImage& image);
  void apply(const cluster::MetadataImage& before, const cluster::MetadataImage& after);
  // Looks at the broker's configuration again: it has changed.
  void reconfigure();
  // Whether that happened since somebody looked.
  bool reconfigured = false;
  // With the dynamic values.
  const cluster::BrokerConfig& broker_config() const { return broker_config_; }

  PartitionState* find(const PartitionKey& key);

  // --- the data path
  // These will come next: what they need of their partitions is asked for (core/log/approach.hpp).
  void expect(std::span<const ProduceAsk> asks);
  void expect(std::span<const FetchAsk> asks);
  // While the journal has no room the batch waits; its bytes stay valid until it is answered.
  void produce(const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask);
  void retry_deferred();
  // What is read becomes `part`, its bytes go behind `pieces`. A ticket if blocks must be read first: plan
  // again when it is ready. `from` is the shard of the session.
  std::optional<log::ReadTicket> fetch(ShardId from, const FetchTerms& terms, const FetchAsk& ask,
                                       FetchPart& part, std::vector<Bytes>& pieces);
  void unwatch(const PartitionKey& key, const Watch& watch);

  // --- transactions
  struct VerificationWish {
    PartitionKey key;
    std::string transactional_id;
    txn::ProducerIdentity producer;
    bool adds = false;  // the partition is to be added to the transaction, else only looked for
  };
  using Continue = std::move_only_function<void(ErrorCode)>;
  bool verifies_transactions() const { return broker_config_.transaction_partition_verification; }
  bool in_transaction(const PartitionState& partition, const txn::ProducerIdentity& producer) const;
  // Asks the coordinator; `then` is called once with what it says: `none`, TRANSACTION_ABORTABLE when the
  // partition does not belong, or what the coordinator answers. REQUIRES: not in_transaction().
  void verify(PartitionState& partition, VerificationWish wish, Continue then);
  void verified(const PartitionKey& key, const txn::ProducerIdentity& producer, ErrorCode error);
  void mark(const MarkerAsker& asker, const MarkerCall& call);
  ProducersAnswer query(const ProducersQuery& query);

  // --- calls: the answer, or a ticket to wait for
  struct QueryOutcome {
    PartitionAnswer answer;
    std::optional<log::ReadTicket> wait;
  };
  QueryOutcome query(const OffsetQuery& query);
  QueryOutcome query(const EpochQuery& query);
  // The records are gone once the outcome is settled, which is when a restart could not bring them back; ask
  // again after every turn until then. The first look puts the offset in the place of "the high watermark".
  struct DeleteRecordsOutcome {
    PartitionAnswer answer;
    bool settled = true;
  };
  DeleteRecordsOutcome query(DeleteRecordsQuery& query);
  LogSizesAnswer sizes() const;

  // --- news, gathered until the shard takes them in its turn
  struct ProduceAnswer {
    Asker asker;
    ProduceResult result;
  };
  // Looks at the logs whose durable end moved and at directories that failed.
  void take_news();
  std::vector<ProduceAnswer> answers;
  std::vector<Watch> told;  // whose partition changed
  struct MarkerAnswer {
    MarkerAsker asker;
    ErrorCode error{};
  };
  std::vector<MarkerAnswer> marker_answers;
  // A transaction's marker counts.
  struct Ended {
    PartitionKey key;
    Offset marker;
    txn::ProducerIdentity producer;
    txn::Outcome outcome{};
  };
  std::vector<Ended> ended;
  std::vector<VerificationWish> verification_wishes;
  bool has_news() const {
    return !answers.empty() || !told.empty() || !marker_answers.empty() || !verification_wishes.empty();
  }
  std::vector<PartitionState*> advanced;  // their durable end moved; valid until the next apply()

  bool held_back() const;
  std::uint64_t messages_in = 0;
  std::uint64_t bytes_in = 0;

  template <class Visit>
  void each(Visit visit) const {
    for (const log::Log* log : storage_.logs()) {
      if (log->attachment != nullptr) visit(*static_cast<const PartitionState*>(log->attachment));
    }
  }

 private:
  struct Deferred {
    Asker asker;
    ProduceTerms terms;
    ProduceAsk ask;
  };
  struct TopicEntry {
    std::shared_ptr<TopicState> state;
    std::vector<std::unique_ptr<PartitionState>> partitions;  // null where the partition lives elsewhere
  };

  void add_topic(const cluster::TopicHandle& topic);
  void update_topic(const cluster::TopicHandle& topic);
  void remove_topic(const cluster::Topic& topic);
  void add_partitions(TopicEntry& entry);
  void open_log(PartitionState& partition);
  void tell_of_homeless();
  void tell_of_room();
  void configure_storage();
  void drop(PartitionState& partition, ErrorCode error);
  void configure(TopicState& topic);
  log::LogConfig log_config(const TopicState& topic) const;
  void refuse(const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask, ErrorCode error,
              std::string message = {});
  void answer_durable(PartitionState& partition);
  std::optional<log::ReadTicket> read(log::Log& log, const FetchTerms& terms, const FetchAsk& ask,
                                      Offset upper, FetchPart& part, std::vector<Bytes>& pieces);
  ErrorCode check_epoch(const PartitionState& partition, std::int32_t current_leader_epoch) const;
  void produce_now(const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask);
  // For a batch that had its turn and was found to have to wait: it keeps its place before all that came later.
  void resume(const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask);
  // True if the batch may be appended now; else it waits, or is refused.
  bool admit(PartitionState& partition, const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask,
             const records::BatchInfo& info);
  void mark_now(const MarkerAsker& asker, const MarkerCall& call);
  bool is_noted_behind(const PartitionState& marked, const MarkerCall& call);
  static ErrorCode check_marker(const log::Log& log, const MarkerCall& call);
  void overtake(PartitionState& partition, const MarkerCall& marker);
  void answer_marked(PartitionState& partition);
  void drop_transactions(PartitionState& partition, ErrorCode error);
  void append(PartitionState& partition, const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask,
              records::BatchInfo info);
  // Where the batch must be changed before it is stored, the changed copy; else the records themselves.
  static std::optional<int> level_of(const TopicState& topic, records::Codec codec);
  Result<Bytes> rewritten(const TopicState& topic, Bytes records, records::BatchInfo& info);

  Context& context_;
  cluster::BrokerConfig broker_config_;
  log::Storage storage_;
  records::Codecs codecs_;
  Buffer scratch_;
  std::vector<const PartitionState*> expected_;  // kept for their memory
  std::vector<log::Log*> expected_logs_;
  std::vector<log::ReadPlace> expected_reads_;
  std::deque<Deferred> deferred_;
  std::size_t returned_ = 0;  // so many at its front had their turn before: they are older than the others
  std::deque<std::pair<MarkerAsker, MarkerCall>> deferred_marks_;
  std::set<DirId> full_;               // as it was told
  std::vector<std::string> homeless_;  // partitions of which no log directory is here, to be told
  HashMap<Uuid, TopicEntry> topics_;
};

}  // namespace tailwater::node
