#include "apps/cli/kafka_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/bounded.hpp"
#include "apps/cli/json_output.hpp"
#include "apps/cli/queries.hpp"
#include "apps/version.hpp"
#include "base/check.hpp"

namespace tailwater::apps::cli {

namespace {

// How long a broker may take to create a topic that it was asked about.
constexpr std::chrono::milliseconds kCreationTime{2000};
constexpr std::chrono::milliseconds kPause{20};
// What librdkafka needs to end its threads; usually it is some milliseconds.
constexpr std::chrono::milliseconds kDestroyTime{1000};

bool is_debug(const std::string& override_word) {
  return override_word.starts_with("debug=");
}

// What librdkafka goes on from by itself, but should not do silently. The same news twice in a row is told
// once.
void tell_error(rd_kafka_t* client, int code, const char* reason, void*) {
  static std::string last_told;  // callbacks come on the thread that polls
  std::string message = reason == nullptr ? "" : reason;
  if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__RESOLVE) return;  // all down is told
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
    message = "no broker can be reached; trying again until Ctrl-C";
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> fatal{};
    rd_kafka_fatal_error(client, fatal.data(), fatal.size());
    message = fatal.data();
  }
  if (message == last_told) return;
  complain(message);
  last_told = std::move(message);
}

bool may_appear(wire::ErrorCode code) {
  return code == wire::ErrorCode::unknown_topic_or_partition || code == wire::ErrorCode::leader_not_available;
}

}  // namespace

// librdkafka waits there for the threads of its brokers. When a topic that was being read is deleted it may
// lose count of who uses the partition (its issues 4362 and 4667), and such a thread never ends.
void KafkaDeleter::operator()(rd_kafka_t* client) const {
  const auto destroy = [client] { rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); };
  [[maybe_unused]] const bool ended = ends_within(kDestroyTime, destroy);
}

KafkaConfig::KafkaConfig() : config_(rd_kafka_conf_new()) {
  set("client.id", fmt::format("tailwater/{}", version_text()));
}

void KafkaConfig::set(const char* key, const std::string& value) {
  CHECK(rd_kafka_conf_set(config_.get(), key, value.c_str(), nullptr, 0) == RD_KAFKA_CONF_OK);
}

Result<void> KafkaConfig::apply(const Settings& settings, const std::vector<std::string>& overrides) {
  const auto addresses = parse_addresses(settings.brokers);
  if (!addresses) return std::unexpected(addresses.error());
  std::string brokers;
  for (const Address& address : *addresses) {
    if (!brokers.empty()) brokers += ',';
    brokers += to_string(address);
  }
  set("bootstrap.servers", brokers);
  // Its own messages are for programmers; errors are told in our words. Whoever debugs gets all of them.
  if (std::ranges::none_of(overrides, is_debug)) {
    rd_kafka_conf_set_log_cb(config_.get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  }
  rd_kafka_conf_set_error_cb(config_.get(), tell_error);
  for (const std::string& word : overrides) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Errc::invalid_argument, fmt::format("-X {}: write KEY=VALUE", word));
    }
    std::array<char, 512> reason{};
    const std::string key = word.substr(0, equals);
    const std::string value = word.substr(equals + 1);
    if (rd_kafka_conf_set(config_.get(), key.c_str(), value.c_str(), reason.data(), reason.size()) !=
        RD_KAFKA_CONF_OK) {
      return fail(Errc::invalid_argument, fmt::format("-X {}: {}", word, reason.data()));
    }
  }
  return {};
}

Result<KafkaOwner<rd_kafka_t>> KafkaConfig::make(rd_kafka_type_t type) {
  std::array<char, 512> reason{};
  rd_kafka_t* client = rd_kafka_new(type, config_.get(), reason.data(), reason.size());
  if (client == nullptr) return fail(Errc::invalid_argument, fmt::format("-X: {}", reason.data()));
  config_.release();  // it is the client's now
  return KafkaOwner<rd_kafka_t>(client);
}

void add_overrides(Command& command, std::vector<std::string>& overrides) {
  command
      .repeated("-X", overrides, "KEY=VALUE",
                "Any setting of librdkafka, such as security.protocol=sasl_ssl.")
      .heading("Connection and output");
}

bool needs_security(const std::vector<std::string>& overrides) {
  return std::ranges::any_of(overrides, [](const std::string& word) {
    return (word.starts_with("security.protocol=") && word != "security.protocol=plaintext") ||
           word.starts_with("sasl.") || word.starts_with("ssl.") || word.starts_with("bootstrap.servers=") ||
           word.starts_with("metadata.broker.list=");
  });
}

Result<std::vector<wire::MetadataResponseTopic>> look_up_topics(const Settings& settings,
                                                                const std::vector<std::string>& overrides,
                                                                const std::vector<std::string>& topics,
                                                                MissingTopic missing) {
  if (needs_security(overrides)) return std::vector<wire::MetadataResponseTopic>{};
  auto client = AdminClient::make(settings);
  if (!client) return std::unexpected(client.error());
  const auto give_up = std::chrono::steady_clock::now() + kCreationTime;
  for (;;) {
    auto answer = client->metadata({.kind = AdminClient::TopicChoice::Kind::named,
                                    .names = topics,
                                    .create = missing == MissingTopic::create});
    if (!answer) return std::unexpected(answer.error());
    bool wait = false;
    for (const auto& topic : answer->topics) {
      if (topic.error_code == wire::ErrorCode::none) continue;
      const std::string name = topic.name.value_or("");
      // A topic that is just being created, or that has no leader yet.
      wait = may_appear(topic.error_code) && std::chrono::steady_clock::now() < give_up &&
             (missing == MissingTopic::create || topic.error_code == wire::ErrorCode::leader_not_available);
      if (wait) break;
      if (topic.error_code == wire::ErrorCode::unknown_topic_or_partition) {
        return fail(Errc::not_found, no_such_topic(*client, name));
      }
      return fail(Errc::unavailable, fmt::format("{}: {}", name, error_text(topic.error_code)));
    }
    if (!wait) return std::move(answer->topics);
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace tailwater::apps::cli
