// Sends records by librdkafka and keeps count of what became of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "apps/cli/kafka_client.hpp"
#include "apps/cli/record.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

struct ProduceCounts {
  struct Partition {
    std::int64_t records = 0;
    std::int64_t first_offset = -1;  // -1: the broker did not say
    std::int64_t last_offset = -1;
  };
  std::int64_t sent = 0;
  std::int64_t delivered = 0;
  std::int64_t bytes = 0;  // keys and values that were delivered
  std::int64_t failed = 0;
  std::map<std::int32_t, Partition> partitions;
};

class Producer {
 public:
  // The configuration gets the callbacks; the client lives no longer than this object.
  static Result<std::unique_ptr<Producer>> make(KafkaConfig config, const std::string& topic);

  // Hands the record over; waits while the queue is full. Failures are counted and told on standard error.
  void send(const InputRecord& record);
  // Lets outcomes come in for that long.
  void serve(std::chrono::milliseconds time);
  // Waits until every record has its outcome. Gives up what is left when the user interrupts again.
  void flush();

  const ProduceCounts& counts() const { return counts_; }

 private:
  explicit Producer(std::string topic) : topic_(std::move(topic)) {}
  static void on_outcome(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque);
  void count(const rd_kafka_message_t& message);
  void complain_of(std::int64_t number, std::int32_t partition, const std::string& reason);
  rd_kafka_resp_err_t try_send(const InputRecord& record);

  std::string topic_;
  ProduceCounts counts_;
  std::vector<rd_kafka_vu_t> arguments_;
  KafkaOwner<rd_kafka_t> client_;  // after all that its end calls back to
  KafkaOwner<rd_kafka_topic_t> handle_;
};

}  // namespace tailwater::apps::cli
