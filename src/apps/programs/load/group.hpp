// A consumer group of many members, each with a connection of its own: how long until all of them have an assignment of
// the same generation, when they come at once, when one more comes, when one leaves. Members hear of a rebalance by
// asking every millisecond while there is one, so that the broker is measured and not the interval of somebody's
// heartbeats.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "base/bytes.hpp"
#include "programs/load/plan.hpp"

namespace tailwater::load {

class Group {
 public:
  struct Times {
    double stable_ms = 0;
    double joined_ms = 0;
    double left_ms = 0;
  };

  // Throws std::runtime_error, also below.
  Group(const Plan& plan, std::string name);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  // From the first member's coming to the last one's leaving.
  Times live();

 private:
  enum class Asked : std::uint8_t { nothing, join, sync, heartbeat, leave };
  struct Member {
    int socket = -1;
    std::string id;
    std::int32_t generation = -1;
    Asked asked = Asked::nothing;  // one thing at a time
    bool settled = false;          // has its assignment
    Buffer in;
    std::size_t in_size = 0;
  };

  void add(std::uint32_t count);
  void join(Member& member);
  void leave(Member& member);
  template <class Request>
  void ask(Member& member, Asked asked, std::int16_t version, const Request& request);
  void hear(Member& member);
  void answered(Member& member, Bytes answer);
  void joined(Member& member, Bytes answer);
  // Asks those who have their assignment whether there is a rebalance.
  void ask_all();
  void take_answers(int timeout_ms);
  bool is_settled() const;
  void settle();
  void rest();

  const Plan plan_;
  const std::string name_;
  int poller_ = -1;
  std::deque<Member> members_;  // whose places do not move
  Buffer frame_;
};

}  // namespace tailwater::load
