// The connections that make the load, in one thread: requests go out as answers come, or at fixed times; a
// request that has to wait for an answer before it is late, and its latency says so.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "programs/load/latencies.hpp"
#include "programs/load/plan.hpp"
#include "programs/load/script.hpp"

namespace tailwater::load {

struct Outcome {
  std::uint64_t units = 0;  // requests or transactions, done in the measured time
  double seconds = 0;
  Latencies latencies;
  std::uint64_t acknowledged = 0;  // units of the whole run
};

class Lanes {
 public:
  // Throws std::runtime_error, also below.
  explicit Lanes(const Plan& plan);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  // Warms up, measures, and waits for the last answers. `began` and `ended` frame the measured time.
  template <class Began, class Ended>
  Outcome run(Began began, Ended ended) {
    start();
    loop(plan_.warm_s);
    begin_measuring();
    began();
    loop(plan_.seconds);
    end_measuring();
    ended();
    finish();
    return outcome_;
  }

 private:
  struct Lane {
    int socket = -1;
    std::unique_ptr<Script> script;
    MutableBytes request;               // the one that is going out, or was last
    std::size_t sent = 0;               // of it
    std::deque<std::int64_t> intended;  // times of the requests that are not answered
    std::int32_t correlation = 0;
    Buffer in;
    std::size_t in_size = 0;
    bool wants_out = false;  // a request is going out, and the socket is full
  };

  void start();
  void loop(double seconds);
  void begin_measuring();
  void end_measuring();
  void finish();
  void give_due(std::int64_t now);
  void submit(Lane& lane, std::int64_t intended);
  void send(Lane& lane);
  void send_again(std::int64_t now);
  void push(Lane& lane);
  void read(Lane& lane);
  void answered(Lane& lane, Bytes answer, std::int64_t now);
  void refill(Lane& lane, std::int64_t now);

  const Plan plan_;
  std::vector<Lane> lanes_;
  int poller_ = -1;
  std::int64_t interval_ns_ = 0;  // between requests; 0: closed loop
  std::int64_t next_ns_ = 0;
  std::size_t next_lane_ = 0;
  std::deque<std::pair<std::int64_t, Lane*>> again_;  // requests that the broker wants later, and when
  std::deque<std::int64_t> overdue_;                  // of a paced run: all lanes were busy
  bool stopping_ = false;
  bool measuring_ = false;
  std::int64_t begin_ns_ = 0;
  Outcome outcome_;
};

}  // namespace tailwater::load
