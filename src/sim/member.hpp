// A model of a group member: joins, assigns if it leads, reads what it is given, commits what it has read,
// leaves. It does one thing after the other over one connection: join, sync, committed offsets, then fetch,
// commit, heartbeat in turns. What it is given and what it reads is judged by the group's watch and the
// ledger.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/client.hpp"
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
  Member(Agenda& agenda, Network& network, Ledger& ledger, GroupWatch& watch, std::string name,
         std::string group, std::string topic, std::vector<TrackNumber> tracks);

  void start();
  // Leaves the group after the step at hand; start() joins again.
  void leave() { leaving_ = true; }
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
  Client client_;
  std::string group_;
  std::string topic_;
  std::vector<TrackNumber> tracks_;  // by partition
  Phase phase_ = Phase::out;
  bool leaving_ = false;
  std::string member_id_;
  std::int32_t generation_ = -1;
  std::vector<std::string> members_;  // if this one leads
  std::map<std::int32_t, Assigned> assigned_;
  std::uint64_t records_read_ = 0;
  bool behind_ = false;  // there was more than the last fetch brought
  bool step_asked_ = false;
};

}  // namespace tailwater::sim
