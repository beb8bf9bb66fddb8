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

// Where to begin in a partition (an offset, or one of librdkafka's special ones) and before which to end.
struct PartitionPlan {
  TopicPartition partition;
  std::int64_t from = 0;
  std::optional<std::int64_t> until;
};

// Finds the places of a range in every partition. Partitions with nothing to read are left out. A range whose
// beginning was deleted begins at what is left, with a note on standard error.
Result<std::vector<PartitionPlan>> plan_partitions(rd_kafka_t* client,
                                                   const std::vector<TopicPartition>& partitions,
                                                   const OffsetRange& range,
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
