// What producing and consuming have in common: librdkafka's configuration and handles. Only these two
// commands touch librdkafka, so that no other one pays for its start.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/cli/settings.hpp"
#include "base/result.hpp"
#include "wire/api/metadata.hpp"

namespace tailwater::apps::cli {

struct KafkaDeleter {
  // In bounded time: a client that does not end by itself is left to the end of the process. A consumer that
  // is to leave its group has left it before.
  void operator()(rd_kafka_t* client) const;
  void operator()(rd_kafka_conf_t* config) const { rd_kafka_conf_destroy(config); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
template <class Handle>
using KafkaOwner = std::unique_ptr<Handle, KafkaDeleter>;

// Settings for librdkafka, by its names. Errors name the option that was wrong.
class KafkaConfig {
 public:
  KafkaConfig();

  // -B, and what -X says on top of everything else. Call it last.
  Result<void> apply(const Settings& settings, const std::vector<std::string>& overrides);
  // For values of our own, which are always right.
  void set(const char* key, const std::string& value);
  rd_kafka_conf_t* get() { return config_.get(); }

  Result<KafkaOwner<rd_kafka_t>> make(rd_kafka_type_t type);

 private:
  KafkaOwner<rd_kafka_conf_t> config_;
};

// -X KEY=VALUE.
void add_overrides(Command& command, std::vector<std::string>& overrides);

// Whether the overrides ask for TLS or SASL, which only librdkafka speaks here.
bool needs_security(const std::vector<std::string>& overrides);

// Asks for a topic before librdkafka is started: errors come at once, and in plain words. `create`: let the
// broker create it. Skipped (no metadata) where only librdkafka can connect.
enum class MissingTopic { refuse, create };
Result<std::vector<wire::MetadataResponseTopic>> look_up_topics(const Settings& settings,
                                                                const std::vector<std::string>& overrides,
                                                                const std::vector<std::string>& topics,
                                                                MissingTopic missing);

}  // namespace tailwater::apps::cli
