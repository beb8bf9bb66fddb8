// Whatever __consumer_offsets holds and whoever asks: the group coordinator loads it and lives on. The bytes
// are first records (length, key, length, value), then requests of known and unknown members, writes that
// succeed or fail, and time. Every assertion is one of the coordinator's own.
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/group/coordinator.hpp"
#include "records/builder.hpp"

namespace {

using namespace tailwater;

class Script {
 public:
  explicit Script(Bytes bytes) : bytes_(bytes) {}
  bool ended() const { return at_ >= bytes_.size(); }
  std::uint8_t byte() { return ended() ? 0 : static_cast<std::uint8_t>(bytes_[at_++]); }
  std::int32_t number() {
    const std::int32_t small = byte();
    return small < 250 ? small - 2 : INT32_MAX - (255 - small);
  }
  Bytes take(std::size_t size) {
    size = std::min(size, bytes_.size() - at_);
    at_ += size;
    return bytes_.subspan(at_ - size, size);
  }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
};

class Play {
 public:
  explicit Play(Bytes bytes) : script_(bytes), coordinator_(options(), Prng(1)) {}

  void run() {
    load();
    for (int step = 0; step < 500 && !script_.ended(); ++step) {
      act();
      for (group::Append& append : out_.appends) tokens_.push_back(append.token);
      for (const group::Reply& reply : out_.replies) remember(reply);
      out_.clear();
    }
    coordinator_.unload(out_);
  }

 private:
  static group::Options options() {
    return {.initial_rebalance_delay = Duration::from_ms(10), .group_size_max = 3, .memory_max = 100'000};
  }

  void load() {
    for (int left = script_.byte() % 8; left > 0; --left) {
      records::BatchBuilder builder;
      const Bytes key = script_.take(script_.byte());
      const std::uint8_t size = script_.byte();
      const Bytes value = script_.take(size);
      Buffer batch;
      if (!builder.add(1, key, size == 255 ? std::nullopt : std::optional(value))) return;
      if (builder.finish(batch)) (void)coordinator_.replay(batch).has_value();
    }
    for (const auto& [id, group] : coordinator_.groups()) {
      groups_.push_back(id);
      for (const auto& [member_id, member] : group.members()) {
        members_.push_back(member_id);
        if (member.instance_id) instances_.push_back(*member.instance_id);
      }
    }
    coordinator_.loaded(now_, out_);
  }

  void remember(const group::Reply& reply) {
    const auto* joined = std::get_if<wire::JoinGroupResponse>(&reply.body);
    if (joined != nullptr && members_.size() < 50) members_.push_back(joined->member_id);
  }

  // By reference: a request may hold a view of it.
  const std::string& some(const std::vector<std::string>& from) { return from[script_.byte() % from.size()]; }
  std::optional<std::string> instance() {
    if (script_.byte() % 2 == 0) return std::nullopt;
    return some(instances_);
  }
  group::Call call() {
    return {.ticket = group::Ticket{++tickets_},
            .version = static_cast<std::int16_t>(script_.byte() % 10),
            .now = now_};
  }

  void act() {
    const group::Call asked = call();
    switch (script_.byte() % 10) {
      case 0:
      case 1: {
        wire::JoinGroupRequest request;
        request.group_id = some(groups_);
        request.member_id = some(members_);
        request.group_instance_id = instance();
        request.session_timeout_ms = 10'000;
        request.rebalance_timeout_ms = script_.number();
        request.protocol_type = some(types_);
        for (int count = script_.byte() % 3; count > 0; --count) {
          request.protocols.push_back({.name = some(protocols_), .metadata = {}});
        }
        return coordinator_.join(asked, request, out_);
      }
      case 2: {
        wire::SyncGroupRequest request;
        request.group_id = some(groups_);
        request.member_id = some(members_);
        request.group_instance_id = instance();
        request.generation_id = script_.number();
        return coordinator_.sync(asked, request, out_);
      }
      case 3: {
        wire::HeartbeatRequest request;
        request.group_id = some(groups_);
        request.member_id = some(members_);
        request.generation_id = script_.number();
        return coordinator_.heartbeat(asked, request, out_);
      }
      case 4: {
        wire::LeaveGroupRequest request;
        request.group_id = some(groups_);
        request.member_id = some(members_);
        request.members.emplace_back().member_id = request.member_id;
        request.members.back().group_instance_id = instance();
        return coordinator_.leave(asked, request, out_);
      }
      case 5: {
        wire::OffsetCommitRequest request;
        request.group_id = some(groups_);
        request.member_id = some(members_);
        request.generation_id_or_member_epoch = script_.number();
        request.retention_time_ms = script_.number();
        auto& topic = request.topics.emplace_back();
        topic.partitions.emplace_back().partition_index = script_.number();
        return coordinator_.offset_commit(asked, request, out_);
      }
      case 6:
        return coordinator_.delete_group(asked, some(groups_), out_);
      case 7:
        now_.monotonic = now_.monotonic + Duration::from_ms(script_.byte() * std::int64_t{1'000});
        now_.wall.ms += script_.number();
        return coordinator_.tick(now_, out_);
      default: {
        if (tokens_.empty()) return;
        const group::AppendToken token = tokens_.front();
        tokens_.pop_front();
        const bool fails = script_.byte() % 4 == 0;
        return coordinator_.persisted(
            token, fails ? wire::ErrorCode::not_enough_replicas : wire::ErrorCode::none, now_, out_);
      }
    }
  }

  Script script_;
  group::GroupCoordinator coordinator_;
  group::GroupEffects out_;
  Now now_{Instant{0}, WallTime{1'700'000'000'000}};
  std::deque<group::AppendToken> tokens_;
  std::uint64_t tickets_ = 0;
  std::vector<std::string> groups_ = {"g", "h"};
  std::vector<std::string> members_ = {"", "m"};
  std::vector<std::string> instances_ = {"i", "j"};
  std::vector<std::string> types_ = {"consumer", "connect", ""};
  std::vector<std::string> protocols_ = {"range", "sticky", ""};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Play(tailwater::Bytes(reinterpret_cast<const std::byte*>(data), size)).run();
  return 0;
}
