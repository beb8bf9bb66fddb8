// The connections that make the load, in one thread: requests of those that write go out as answers come, or
// at fixed times; a request that has to wait for an answer before it is late, and its latency says so. At fixed times
// the latencies are those of the requests that were due in the measured time, whenever they are answered; without them,
// of those that were answered in it. Those that read have one request under way, always.
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

// Of the connections that write, or of those that read.
struct Totals {
  std::uint64_t units = 0;    // requests or transactions, done in the measured time
  std::uint64_t records = 0;  // in the measured time
  Latencies latencies;
  std::uint64_t records_of_run = 0;
};

struct Outcome {
  double seconds = 0;
  Totals written;
  Totals read;
};

class Lanes {
 public:
  // Throws std::runtime_error, also below. With a journey, the run ends when it is over, and its times are
  // those of whoever reads.
  explicit Lanes(const Plan& plan, const Journey* journey = nullptr);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  void add_writer(std::unique_ptr<Script> script) { add(std::move(script), false); }
  void add_reader(std::unique_ptr<Script> script) { add(std::move(script), true); }

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
  // Writes as many requests as the plan has for each connection; nothing is measured.
  Outcome write_all() {
    start();
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
    bool reads = false;
    std::size_t in_flight = 1;                 // at most
    std::uint64_t requests_left = UINT64_MAX;  // before this connection rests
  };

  void add(std::unique_ptr<Script> script, bool reads);
  bool is_free(const Lane& lane) const;
  bool is_over() const;
  void start();
  void loop(double seconds);
  void begin_measuring();
  void end_measuring();
  void finish();
  void give_due(std::int64_t now);
  void submit(Lane& lane, std::int64_t intended);
  void send(Lane& lane);
  void send_again(std::int64_t now);
  bool counts(std::int64_t intended) const;
  void give_up_overdue(std::int64_t now);
  void push(Lane& lane);
  void read(Lane& lane);
  void answered(Lane& lane, Bytes answer, std::int64_t now);
  void refill(Lane& lane, std::int64_t now);

  const Plan plan_;
  const Journey* const journey_;
  std::vector<Lane> lanes_;
  std::size_t writers_ = 0;  // which come first
  int poller_ = -1;
  std::int64_t interval_ns_ = 0;  // between requests; 0: closed loop
  std::int64_t next_ns_ = 0;
  std::size_t next_lane_ = 0;
  std::deque<std::pair<std::int64_t, Lane*>> again_;  // requests that the broker wants later, and when
  std::deque<std::int64_t> overdue_;                  // of a paced run: all lanes were busy
  bool stopping_ = false;
  bool measuring_ = false;
  std::int64_t begin_ns_ = 0;
  std::int64_t end_ns_ = INT64_MAX;
  std::int64_t heard_ns_ = 0;  // from the broker
  Outcome outcome_;
};

}  // namespace tailwater::load
