// The bytes that are sent, built once, and the few questions around them. A connection's request is the same
// each time but for its correlation id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "programs/load/plan.hpp"

namespace tailwater::load {

inline constexpr std::size_t kCorrelationAt = 8;  // in a request's frame, behind size, key and version

// The Produce request of one connection, whole with its size.
Buffer produce_request(const Plan& plan, std::uint32_t connection);
// Whether all partitions took their batches. The answer is without its size.
bool is_success(Bytes answer, std::string& problem);

// A TCP connection without delay. Throws std::runtime_error.
int connect_to(const Plan& plan);

// A connection that asks and waits. Throws std::runtime_error.
class Asker {
 public:
  explicit Asker(const Plan& plan) : socket_(connect_to(plan)) {}
  ~Asker();
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  // Returns when all its partitions take records.
  void make_topic(const Plan& plan);
  // The end offsets of the topic's partitions, added up.
  std::int64_t records_in(const Plan& plan);

 private:
  template <class Request>
  auto ask(std::int16_t version, const Request& request);

  int socket_ = -1;
  Buffer answer_;
};

}  // namespace tailwater::load
