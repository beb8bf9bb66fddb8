// Goal: whole stories of transactions that a person can read. Method: the scenarios of tests/scenarios/txn
// are played (support/scenarios.hpp); the diff of a transcript is the review.
//
//   > command          see Player::play(); a producer is written id:epoch, "v2" is a client that bumps
//     text             "#3" is the third request, "log" what goes to the log
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/txn/test_harness.hpp"
#include "records/batch.hpp"
#include "records/record.hpp"
#include "support/scenarios.hpp"

namespace tailwater::txn {
namespace {

using scenarios::error_named;
using scenarios::milliseconds;
using scenarios::split;

std::string told(const ProducerIdentity& producer) {
  return std::to_string(producer.id.value) + ":" + std::to_string(producer.epoch.value);
}
std::string told(const TopicPartition& partition) {
  return partition.topic + "-" + std::to_string(partition.partition);
}

ProducerIdentity producer_of(const std::string& text) {
  const auto parts = split(text, ':');
  return {ProducerId{std::strtoll(parts.at(0).c_str(), nullptr, 10)},
          ProducerEpoch{static_cast<std::int16_t>(std::strtol(parts.at(1).c_str(), nullptr, 10))}};
}

class Player {
 public:
  Player() { listen(); }

  std::string play(const std::string& line) {
    transcript_.clear();
    const std::vector<std::string> words = split(line, ' ');
    const std::string& verb = words.at(0);
    if (verb == "init") {
      const bool knows = words.size() > 2 && words[2].find(':') != std::string::npos;
      const auto expected = knows ? std::optional(producer_of(words[2])) : std::nullopt;
      waits(harness_.init(words.at(1), expected, 60'000));
    } else if (verb == "add") {
      waits(harness_.add(words.at(1), producer_of(words.at(2)), partitions(words), version(words)));
    } else if (verb == "verify") {
      waits(harness_.verify(words.at(1), producer_of(words.at(2)), partitions(words)));
    } else if (verb == "commit" || verb == "abort") {
      waits(harness_.end(words.at(1), producer_of(words.at(2)),
                         verb == "commit" ? Outcome::commit : Outcome::abort, version(words)));
    } else if (verb == "hold") {  // they wait for write or mark
      (words.at(1) == "writes" ? harness_.writes_at_once : harness_.marks_at_once) = false;
    } else if (verb == "write") {
      harness_.write(words.size() > 1 ? error_named(words[1]) : ErrorCode::none);
    } else if (verb == "mark") {
      harness_.mark(words.size() > 1 ? error_named(words[1]) : ErrorCode::none);
    } else if (verb == "wait") {
      harness_.advance_ms(milliseconds(words.at(1)));
    } else if (verb == "restart") {
      harness_.restart();
    } else if (verb == "describe") {
      describe(words.at(1));
    } else if (verb == "list") {
      list(words);
    } else {
      say("unknown command");
    }
    return transcript_;
  }

 private:
  static ClientVersion version(const std::vector<std::string>& words) {
    return words.back() == "v2" ? ClientVersion::bumping : ClientVersion::plain;
  }
  static std::vector<TopicPartition> partitions(const std::vector<std::string>& words) {
    std::vector<TopicPartition> all;
    for (std::size_t index = 3; index < words.size(); ++index) {
      const std::size_t dash = words[index].rfind('-');
      if (dash == std::string::npos) continue;
      const auto number = std::strtol(words[index].c_str() + dash + 1, nullptr, 10);
      all.push_back({words[index].substr(0, dash), static_cast<std::int32_t>(number)});
    }
    return all;
  }

  void describe(const std::string& id) {
    const auto state = harness_.coordinator->describe(id);
    if (state.error_code != ErrorCode::none) return say(std::string(name(state.error_code)));
    std::string text = state.transaction_state + " " + std::to_string(state.producer_id) + ":" +
                       std::to_string(state.producer_epoch);
    for (const auto& topic : state.topics) {
      for (const std::int32_t partition : topic.partitions) text += " " + told({topic.topic, partition});
    }
    say(text);
  }

  void list(const std::vector<std::string>& words) {
    wire::ListTransactionsRequest request;
    for (std::size_t index = 1; index < words.size(); ++index) {
      if (words[index].starts_with("longer=")) {
        request.duration_filter = milliseconds(words[index].substr(7));
      } else {
        request.state_filters.push_back(words[index]);
      }
    }
    std::vector<wire::ListTransactionsResponse::TransactionState> all;
    harness_.coordinator->list(request, harness_.now.wall, all);
    for (const auto& each : all) say(each.transactional_id + " " + each.transaction_state);
    if (all.empty()) say("none");
  }

  void say(const std::string& text) { transcript_ += "  " + text + "\n"; }
  void waits(Ticket ticket) {
    if (harness_.answer(ticket) == nullptr) say("#" + std::to_string(ticket.value) + " waits");
  }
  void listen() {
    harness_.on_reply = [this](const Reply& reply) {
      std::string text =
          "#" + std::to_string(reply.ticket.value) + " " + std::string(name(reply.answer.error));
      if (reply.answer.producer.id.value >= 0) text += " " + told(reply.answer.producer);
      for (const TopicPartition& each : reply.answer.missing) text += ", not " + told(each);
      say(text);
    };
    harness_.on_append = [this](const Append& append) {
      const auto batch = records::parse_batch(append.batch);
      ASSERT_TRUE(batch.has_value());
      records::RecordCursor cursor = records::records_of(*batch);
      while (const auto record = cursor.next()) {
        const auto change = decode(*record->key, record->value);
        ASSERT_TRUE(change.has_value() && change->has_value());
        std::string text = "log " + (*change)->transactional_id;
        if (const auto& value = (*change)->value) {
          text += " " + std::string(name_of(value->state)) + " " + told(value->producer);
          for (const TopicPartition& each : value->partitions) text += " " + told(each);
        } else {
          text += " gone";
        }
        say(text);
      }
    };
    harness_.on_marker = [this](const Marker& marker) {
      say("marker " + std::string(marker.outcome == Outcome::commit ? "commit" : "abort") + " " +
          told(marker.producer) + " to " + told(marker.partition));
    };
  }

  Harness harness_;
  std::string transcript_;
};

TEST(TxnScenarios, all_go_as_written) {
  scenarios::expect_all_as_written<Player>(TAILWATER_SCENARIOS);
}

}  // namespace
}  // namespace tailwater::txn
