// A model of a group member: joins, assigns if it leads, reads what it is given, commits what it has read,
// leaves; in any version that the broker advertises, and dynamic or static. It does one thing after the other over one connection: join, sync, committed offsets, then fetch,
// commit, heartbeat in turns. What it is given and what it reads is judged by the group's watch and the
// ledger.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/client.hpp"
#include "sim/fetching.hpp"
#include "sim/group_watch.hpp"
#include "sim/ledger.hpp"
#include "wire/api/fetch.hpp"
#include "wire/api/heartbeat.hpp"
#include "wire/api/join_group.hpp"
#include "wire/api/leave_group.hpp"
#include "wire/api/offset_commit.hpp"
#include "wire/api/offset_fetch.hpp"
#include "wire/api/sync_group.hpp"

namespace tailwater::sim {

class Member {
 public:
  // A static one has a name in its group, and keeps its place when it goes away and comes again.
  enum class Kind : std::uint8_t { dynamic, fixed };

  Member(Agenda& agenda, Network& network, Ledger& ledger, GroupWatch& watch, std::string name,
         std::string group, Topic topic, std::vector<TrackNumber> tracks, Kind kind);

  void start();
  // Leaves the group after the step at hand; start() joins again. A static one may go without a word.
  void leave();
  bool is_out() const { return phase_ == Phase::out; }

  std::uint64_t records_read() const { return records_read_; }
  // A member with what it was given, and nothing to be done about its membership.
  bool settled() const {
    return phase_ == Phase::fetching || phase_ == Phase::committing || phase_ == Phase::beating;
  }
  std::int32_t generation() const { return generation_; }
  Client& client() { return client_; }
  const std::string& name() const { return client_.name(); }
  // What it is about, for reports of seeds that do not come to an end.
  std::string state() const;

 private:
  struct Versions {
    std::int16_t join = 0;
    std::int16_t sync = 0;
    std::int16_t heartbeat = 0;
    std::int16_t leave = 0;
    std::int16_t offset_fetch = 0;
    std::int16_t list_offsets = 0;
    std::int16_t commit = 0;
  };
  static Versions draw_versions(Prng& random, const Topic& topic, Kind kind);
  // The name of a static one in its group.
  std::optional<std::string_view> instance() const {
    return kind_ == Kind::fixed ? std::optional<std::string_view>(name()) : std::nullopt;
  }

  enum class Phase { out, joining, syncing, reading_offsets, fetching, committing, beating, leaving };

  void go(Phase phase);
  void step_within(Duration bound);
  void step();
  void again();
  void rejoin(bool forget_id);
  // True if the answer says that this member must join again.
  bool must_rejoin(wire::ErrorCode error);
  void join();
  void sync();
  void read_offsets();
  // True if the answer is to be acted upon.
  bool found_offset(std::int32_t partition, std::int64_t floor, wire::ErrorCode error,
                    std::int64_t committed);
  void fetch();
  void find_starts();
  void take(const wire::FetchResponse& response);
  void commit();
  void beat();
  void leave_now();
  Buffer assignment_for(std::size_t index) const;

  struct Assigned {
    std::int64_t position = 0;
    bool lost = false;  // out of range: the log's start is to be asked for
    Ledger::Floor floor;
  };

  Agenda& agenda_;
  Ledger& ledger_;
  GroupWatch& watch_;
  std::string group_;
  Topic topic_;
  std::vector<TrackNumber> tracks_;  // by partition
  Kind kind_;
  Versions versions_;
  Fetching fetching_;
  Client client_;
  Phase phase_ = Phase::out;
  bool leaving_ = false;
  bool silently_ = false;
  std::string member_id_;
  std::string on_record_;  // the last id with which it was synced
  std::int32_t generation_ = -1;
  std::vector<std::string> members_;  // if this one leads
  std::map<std::int32_t, Assigned> assigned_;
  std::uint64_t records_read_ = 0;
  bool behind_ = false;  // there was more than the last fetch brought
  bool step_asked_ = false;
};

}  // namespace tailwater::sim
