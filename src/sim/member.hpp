// A model of a group member: joins, assigns if it leads, reads what it is given, commits what it has read,
// leaves. It does one thing after the other over one connection: join, sync, committed offsets, then fetch,
// commit, heartbeat in turns. What it has read is reported with its generation, for the checkers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sim/client.hpp"
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
  // A partition was given to this member in a generation.
  using Given =
      std::function<void(std::int32_t generation, std::int32_t partition, const std::string& member)>;

  Member(Agenda& agenda, Broker& broker, std::string name, std::string group, std::string topic,
         std::int32_t partitions, Given given);

  void start();
  // Leaves the group after the step at hand; start() joins again.
  void leave() { leaving_ = true; }
  bool is_out() const { return phase_ == Phase::out; }

  std::uint64_t records_read() const { return records_read_; }
  // What is committed as far as this member knows: partition -> offset.
  const std::map<std::int32_t, std::int64_t>& committed() const { return committed_; }
  const std::string& name() const { return client_.name(); }
  // What it is about, for reports of seeds that do not come to an end.
  std::string state() const;
  std::string complaint() const { return complaint_.empty() ? client_.complaint() : complaint_; }

 private:
  enum class Phase { out, joining, syncing, reading_offsets, fetching, committing, beating, leaving };

  void go(Phase phase);
  void step();
  void again();
  void rejoin(bool forget_id);
  // True if the answer says that this member must join again.
  bool must_rejoin(wire::ErrorCode error);
  void join();
  void sync();
  void read_offsets();
  void fetch();
  void take(const wire::FetchResponse& response);
  void commit();
  void beat();
  void leave_now();
  Buffer assignment_for(std::size_t index) const;

  Agenda& agenda_;
  Client client_;
  std::string group_;
  std::string topic_;
  std::int32_t partitions_;
  Given given_;
  Phase phase_ = Phase::out;
  bool leaving_ = false;
  std::string member_id_;
  std::int32_t generation_ = -1;
  std::vector<std::string> members_;               // if this one leads
  std::map<std::int32_t, std::int64_t> position_;  // of what is assigned
  std::map<std::int32_t, std::int64_t> committed_;
  std::uint64_t records_read_ = 0;
  std::string complaint_;
};

}  // namespace tailwater::sim
