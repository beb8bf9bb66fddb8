// Receives records by librdkafka: from given places of given partitions, or as a member of a group.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "apps/cli/kafka_client.hpp"
#include "apps/cli/offset_range.hpp"
#include "apps/cli/queries.hpp"
#include "apps/cli/record.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

// Where to begin in a partition (an offset, or one of librdkafka's special ones), what to show, and before
// which offset to end.
struct PartitionPlan {
  TopicPartition partition;
  std::int64_t from = 0;
  std::optional<std::int64_t> until;
  std::int64_t first_shown = 0;
  friend bool operator==(const PartitionPlan&, const PartitionPlan&) = default;
};

// The offsets that a partition has: from low on, before high.
struct Watermarks {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

// What is done where there is nothing more for now.
enum class AtEnd : std::uint8_t { wait, stop };

// A beginning that the partition does not have: one that was deleted becomes what is left, and behind the end
// it is waited for, or there is nothing to read. `note` then says so; otherwise it is empty.
struct PlacedPlan {
  std::optional<PartitionPlan> plan;
  std::string note;
};
PlacedPlan placed_within(PartitionPlan plan, const Watermarks& marks, AtEnd at_end);

// Finds the places of a range in every partition. Partitions with nothing to read are left out. What is not
// there is told on standard error.
Result<std::vector<PartitionPlan>> plan_partitions(rd_kafka_t* client,
                                                   const std::vector<TopicPartition>& partitions,
                                                   const OffsetRange& range, AtEnd at_end,
                                                   std::chrono::milliseconds timeout);

// The partitions of topics, asked through librdkafka.
Result<std::vector<TopicPartition>> partitions_through(rd_kafka_t* client,
                                                       const std::vector<std::string>& topics,
                                                       std::chrono::milliseconds timeout);

class Consumer {
 public:
  static Result<std::unique_ptr<Consumer>> make(KafkaConfig config);
  static Result<std::unique_ptr<Consumer>> make_member(KafkaConfig config,
                                                       const std::vector<std::string>& topics);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  rd_kafka_t* client() { return client_.get(); }
  void start(const std::vector<PartitionPlan>& plans);

  // The next message, which may be the news of a partition's end or an error; null: none within that time.
  KafkaOwner<rd_kafka_message_t> next(std::chrono::milliseconds patience);

  // Takes no more from this partition.
  void stop(const TopicPartition& partition);
  // For members: what was processed so far, to be committed by and by and when leaving.
  void processed(const TopicPartition& partition, std::int64_t offset);
  // For members: whether each assigned partition is among `ended`, and there is one at all.
  bool all_ended(const std::set<TopicPartition>& ended);

 private:
  Consumer() = default;

  KafkaOwner<rd_kafka_t> client_;
  KafkaOwner<rd_kafka_queue_t> queue_;  // none: member of a group
  std::map<std::string, KafkaOwner<rd_kafka_topic_t>> topics_;
  std::set<TopicPartition> started_;
};

// What a message says. Views live as long as the message.
RecordView view_of(const rd_kafka_message_t& message, bool with_headers);

}  // namespace tailwater::apps::cli
