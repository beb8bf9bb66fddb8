// Goal: whole stories of groups that a person can read. Method: the scenarios of tests/scenarios/group are
// played (support/scenarios.hpp); the diff of a transcript is the review.
//
//   > command   see Player::play(); name=value arguments, members by the short names that the transcript
//               gives
//     text      "#3" is the third request, "log" what goes to the log
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/group/test_harness.hpp"
#include "records/batch.hpp"
#include "records/record.hpp"
#include "support/scenarios.hpp"

namespace tailwater::group {
namespace {

using scenarios::error_named;
using scenarios::milliseconds;
using scenarios::split;

// The words of a command: plain ones by their place, the others by their name.
struct Words {
  explicit Words(const std::string& line) {
    for (const std::string& word : split(line, ' ')) {
      const std::size_t equals = word.find('=');
      if (equals == std::string::npos) {
        plain.push_back(word);
      } else {
        named[word.substr(0, equals)] = word.substr(equals + 1);
      }
    }
  }
  std::string at(std::size_t index) const { return index < plain.size() ? plain[index] : std::string(); }
  std::optional<std::string> find(const std::string& key) const {
    const auto found = named.find(key);
    return found == named.end() ? std::nullopt : std::optional(found->second);
  }
  std::string get(const std::string& key, const std::string& fallback = "") const {
    return find(key).value_or(fallback);
  }
  std::int64_t number(const std::string& key, std::int64_t fallback) const {
    const auto text = find(key);
    return text ? std::strtoll(text->c_str(), nullptr, 10) : fallback;
  }

  std::vector<std::string> plain;
  std::map<std::string, std::string> named;
};

class Player {
 public:
  Player() { listen(); }

  std::string play(const std::string& line) {
    transcript_.clear();
    const Words words(line);
    const std::string verb = words.at(0);
    if (verb == "options") {
      set_options(words);
    } else if (verb == "join") {
      join(words);
    } else if (verb == "sync") {
      sync(words);
    } else if (verb == "heartbeat") {
      harness_->heartbeat(id(words.at(2)), generation(words), words.find("instance"), words.at(1));
    } else if (verb == "leave") {
      leave(words);
    } else if (verb == "commit") {
      commit(words);
    } else if (verb == "txn-commit") {
      txn_commit(words);
    } else if (verb == "marker") {
      harness_->end_transaction(ProducerId{words.number("producer", 1)}, words.at(1) == "commit");
    } else if (verb == "fetch") {
      fetch(words);
    } else if (verb == "describe") {
      describe(words);
    } else if (verb == "list") {
      list(words);
    } else if (verb == "delete") {
      waits(harness_->delete_group(words.at(1)));
    } else if (verb == "delete-offset") {
      waits(harness_->offset_delete(words.get("topic", "t"),
                                    static_cast<std::int32_t>(words.number("partition", 0)), words.at(1)));
    } else if (verb == "wait") {
      harness_->advance_ms(milliseconds(words.at(1)));
    } else if (verb == "hold") {  // writes wait for write or refuse
      harness_->persists_at_once = false;
    } else if (verb == "write" || verb == "refuse") {
      write(verb == "write" ? ErrorCode::none : error_named(words.at(1)));
    } else if (verb == "restart") {
      harness_->restart();
    } else {
      say("unknown command");
    }
    return transcript_;
  }

 private:
  // ---- commands
  void set_options(const Words& words) {
    Options options;
    options.initial_rebalance_delay = Duration::from_ms(milliseconds(words.get("initial-delay", "3s")));
    options.offsets_retention = Duration::from_ms(milliseconds(words.get("retention", "7d")));
    options.group_size_max = static_cast<std::int32_t>(words.number("max-size", INT32_MAX));
    harness_ = std::make_unique<Harness>(options);
    listen();
  }

  void join(const Words& words) {
    JoinSpec spec{.group = words.at(1), .member = id(words.at(2)), .instance = words.find("instance")};
    spec.client = words.get("client", "client");
    spec.version = static_cast<std::int16_t>(words.number("v", 9));
    spec.session_ms = static_cast<std::int32_t>(milliseconds(words.get("session", "10s")));
    spec.rebalance_ms = static_cast<std::int32_t>(milliseconds(words.get("rebalance", "60s")));
    spec.type = words.get("type", "consumer");
    spec.protocols.clear();
    for (const std::string& protocol : split(words.get("protocols", "range"), ',')) {
      spec.protocols.emplace_back(protocol, subscription_to({words.get("topic", "t")}));
    }
    waits(harness_->join(spec));
  }

  void sync(const Words& words) {
    SyncSpec spec{.group = words.at(1),
                  .member = id(words.at(2)),
                  .generation = generation(words),
                  .instance = words.find("instance")};
    for (const auto& [key, value] : words.named) {
      if (ids_.contains(key)) spec.assignments[id(key)] = value;
    }
    waits(harness_->sync(spec));
  }

  void leave(const Words& words) {
    std::vector<std::pair<std::string, std::optional<std::string>>> members;
    for (std::size_t index = 2; index < words.plain.size(); ++index) {
      members.emplace_back(id(words.plain[index]), std::nullopt);
    }
    if (const auto instance = words.find("instance")) members.emplace_back("", instance);
    harness_->leave(members, words.at(1));
  }

  void commit(const Words& words) {
    CommitSpec spec{.group = words.at(1),
                    .member = id(words.at(2)),
                    .generation = generation(words),
                    .instance = words.find("instance"),
                    .version = static_cast<std::int16_t>(words.number("v", 8))};
    spec.topic = words.get("topic", "t");
    spec.partition = static_cast<std::int32_t>(words.number("partition", 0));
    spec.offset = words.number("offset", 0);
    spec.metadata = words.find("metadata");
    waits(harness_->commit(spec));
  }

  void txn_commit(const Words& words) {
    const CommitSpec spec{.group = words.at(1),
                          .member = id(words.at(2)),
                          .generation = generation(words),
                          .instance = words.find("instance"),
                          .version = static_cast<std::int16_t>(words.number("v", 5)),
                          .topic = words.get("topic", "t"),
                          .offset = words.number("offset", 0)};
    waits(harness_->txn_commit(spec, ProducerId{words.number("producer", 1)}));
  }

  void fetch(const Words& words) {
    wire::OffsetFetchRequest::OffsetFetchRequestGroup request;
    request.group_id = words.at(1);
    using Stability = GroupCoordinator::Stability;
    const auto stability = words.at(2) == "stable" ? Stability::required : Stability::as_committed;
    const auto answer = harness_->coordinator->offset_fetch(request, stability);
    std::string text = answer.error_code == ErrorCode::none ? "" : std::string(name(answer.error_code));
    for (const auto& topic : answer.topics) {
      for (const auto& partition : topic.partitions) {
        text += " " + topic.name + "-" + std::to_string(partition.partition_index) + "=" +
                (partition.error_code == ErrorCode::none ? std::to_string(partition.committed_offset)
                                                         : std::string(name(partition.error_code)));
      }
    }
    say("offsets:" + (text.empty() ? " none" : text));
  }

  void describe(const Words& words) {
    const auto group = harness_->coordinator->describe_group(words.at(1), 6);
    std::string text = group.error_code == ErrorCode::none ? "" : std::string(name(group.error_code)) + " ";
    text += group.group_state;
    if (!group.protocol_type.empty()) text += ", " + group.protocol_type;
    if (!group.protocol_data.empty()) text += ", " + group.protocol_data;
    for (const auto& member : group.members) {
      text += ", " + short_name(member.member_id) + "[" + text_of(member.member_assignment) + "]";
    }
    say(text);
  }

  void list(const Words& words) {
    wire::ListGroupsRequest request;
    request.states_filter = split(words.get("states"), ',');
    request.types_filter = split(words.get("types"), ',');
    std::vector<wire::ListGroupsResponse::ListedGroup> groups;
    const ErrorCode error = harness_->coordinator->list_groups(request, groups);
    if (error != ErrorCode::none) return say(std::string(name(error)));
    for (const auto& group : groups) say(group.group_id + " " + group.group_state + " " + group.group_type);
    if (groups.empty()) say("no groups");
  }

  void write(ErrorCode error) {
    if (harness_->appends.empty()) return say("nothing to write");
    harness_->persist_one(error);
  }

  // ---- names
  static std::int32_t generation(const Words& words) {
    return static_cast<std::int32_t>(words.number("gen", -1));
  }
  std::string id(const std::string& name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? name : found->second;
  }
  std::string short_name(const std::string& member_id) {
    if (member_id.empty()) return "nobody";
    for (const auto& [name, known] : ids_) {
      if (known == member_id) return name;
    }
    const std::string name = "m" + std::to_string(ids_.size() + 1);
    ids_[name] = member_id;
    return name;
  }

  // ---- the transcript
  void say(const std::string& text) { transcript_ += "  " + text + "\n"; }
  void waits(Ticket ticket) {
    if (!harness_->answered(ticket)) say("#" + std::to_string(ticket.value) + " waits");
  }
  void listen() {
    harness_->on_reply = [this](const Reply& reply) {
      say("#" + std::to_string(reply.ticket.value) + " " +
          std::visit([this](const auto& body) { return told(body); }, reply.body));
    };
    harness_->on_append = [this](const Append& append) {
      const auto batch = records::parse_batch(append.batch);
      ASSERT_TRUE(batch.has_value());
      records::RecordCursor cursor = records::records_of(*batch);
      while (const auto record = cursor.next()) {
        const auto change = decode(*record->key, record->value);
        ASSERT_TRUE(change.has_value() && change->has_value());
        say("log " + std::visit([this](const auto& each) { return written(each); }, **change));
      }
    };
  }

  std::string told(const wire::JoinGroupResponse& answer) {
    if (answer.error_code == ErrorCode::member_id_required) {
      return "join: MEMBER_ID_REQUIRED, " + short_name(answer.member_id);
    }
    if (answer.error_code != ErrorCode::none) return "join: " + std::string(name(answer.error_code));
    std::string text = "join: " + short_name(answer.member_id) + " in generation " +
                       std::to_string(answer.generation_id) + ", " + answer.protocol_name.value_or("null") +
                       ", leader " + short_name(answer.leader);
    if (!answer.members.empty()) text += ", members";
    for (const auto& member : answer.members) text += " " + short_name(member.member_id);
    if (answer.skip_assignment) text += ", skip assignment";
    return text;
  }
  std::string told(const wire::SyncGroupResponse& answer) {
    if (answer.error_code != ErrorCode::none) return "sync: " + std::string(name(answer.error_code));
    return "sync: [" + text_of(answer.assignment) + "]";
  }
  std::string told(const wire::HeartbeatResponse& answer) {
    return "heartbeat: " + std::string(name(answer.error_code));
  }
  std::string told(const wire::LeaveGroupResponse& answer) {
    std::string text = "leave: " + std::string(name(answer.error_code));
    for (const auto& member : answer.members) {
      const std::string who = member.member_id.empty() ? member.group_instance_id.value_or("nobody")
                                                       : short_name(member.member_id);
      text += ", " + who + " " + std::string(name(member.error_code));
    }
    return text;
  }
  std::string told(const wire::OffsetCommitResponse& answer) {
    return "commit: " + std::string(name(answer.topics.at(0).partitions.at(0).error_code));
  }
  std::string told(const wire::TxnOffsetCommitResponse& answer) {
    return "txn-commit: " + std::string(name(answer.topics.at(0).partitions.at(0).error_code));
  }
  std::string told(const wire::OffsetDeleteResponse& answer) {
    if (answer.error_code != ErrorCode::none) return "delete-offset: " + std::string(name(answer.error_code));
    return "delete-offset: " + std::string(name(answer.topics.at(0).partitions.at(0).error_code));
  }
  std::string told(const wire::DeleteGroupsResponse::DeletableGroupResult& answer) {
    return "delete: " + std::string(name(answer.error_code));
  }

  std::string written(const OffsetChange& change) {
    const std::string place = change.group + " " + change.topic + "-" + std::to_string(change.partition);
    return change.value ? place + "=" + std::to_string(change.value->offset) : place + " gone";
  }
  std::string written(const GroupChange& change) {
    if (!change.value) return change.group + " gone";
    std::string text = change.group + " generation " + std::to_string(change.value->generation);
    if (change.value->protocol_name) text += ", " + *change.value->protocol_name;
    if (change.value->members.empty()) text += ", no members";
    for (const MemberRecord& member : change.value->members) {
      text += ", " + short_name(member.member_id) + "[" + text_of(member.assignment) + "]";
    }
    return text;
  }

  std::unique_ptr<Harness> harness_ = std::make_unique<Harness>();
  std::map<std::string, std::string> ids_;
  std::string transcript_;
};

TEST(Scenarios, AllGoAsWritten) {
  scenarios::expect_all_as_written<Player>(TAILWATER_SCENARIOS);
}

}  // namespace
}  // namespace tailwater::group
