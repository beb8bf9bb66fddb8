// The bytes that are sent, built once, and the few questions around them. A connection's request is the same
// each time but for its correlation id and, where there are more partitions than one request of each connection
// writes, the partitions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/uuid.hpp"
#include "programs/load/plan.hpp"
#include "wire/header.hpp"

namespace tailwater::load {

inline constexpr std::size_t kCorrelationAt = 8;  // in a request's frame, behind size, key and version

[[noreturn]] void give_up(const std::string& what);
// Noise that does not compress, the same in every run.
Buffer noise(std::size_t size, std::uint64_t seed);
// Text that compresses to about a third, the same in every run.
Buffer text(std::size_t size, std::uint64_t seed);
std::int64_t wall_ms();

// Appends the request's frame, whole with its size.
template <class Request>
void write_frame(Buffer& frame, std::int16_t version, const Request& request) {
  const std::size_t begin = frame.size();
  frame.resize(begin + 4);
  wire::Writer writer(frame);
  wire::encode_request_header(writer, {.api_key = static_cast<std::int16_t>(wire::ApiOf<Request>::key),
                                       .api_version = version,
                                       .correlation_id = 1,
                                       .client_id = "load"});
  encode(writer, version, request);
  store_big(frame.data() + begin, static_cast<std::uint32_t>(frame.size() - begin - 4));
}

// The answer is without its size.
template <class Request>
auto read_answer(std::int16_t version, Bytes answer) {
  wire::Reader reader(answer);
  typename wire::ApiOf<Request>::Response response;
  if (!wire::decode_response_header(reader, wire::ApiOf<Request>::key, version) ||
      !decode(reader, version, response)) {
    give_up("an answer that cannot be read");
  }
  return response;
}

struct Producer {
  std::int64_t id = -1;
  std::int16_t epoch = -1;
};

// The partition of one of the batches of a connection's request. Of more partitions than all connections write
// at once the next request (`turn` counts them) takes the next ones, so that each has its turn.
std::uint32_t partition_of(const Plan& plan, std::uint32_t connection, std::uint32_t batch,
                           std::uint64_t turn = 0);
// The Produce request of one connection, whole with its size; for the partitions of its first turn.
Buffer produce_request(const Plan& plan, std::uint32_t connection);
// Where in it the numbers of the partitions stand, four bytes each.
std::vector<std::size_t> partitions_at(Bytes request);
// Whether all partitions took their batches. The answer is without its size.
bool is_success(Bytes answer, std::string& problem);

// A TCP connection without delay. Throws std::runtime_error.
int connect_to(const Plan& plan);
void send_all(int socket, Bytes bytes);

// A connection that asks and waits. Throws std::runtime_error.
class Asker {
 public:
  explicit Asker(const Plan& plan) : socket_(connect_to(plan)) {}
  ~Asker();
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;

  // Returns when all its partitions take records.
  void make_topic(const Plan& plan);
  Producer take_producer(const std::string& transactional_id);
  // Returns when the group has a coordinator.
  void await_coordinator(const std::string& group);
  Uuid topic_id(const Plan& plan);
  // The end offsets of the topic's partitions; none while a partition has no leader.
  std::vector<std::int64_t> ends_of(const Plan& plan);
  // Added up; -1 while there are none.
  std::int64_t records_in(const Plan& plan);

 private:
  template <class Request>
  auto ask(std::int16_t version, const Request& request);

  int socket_ = -1;
  Buffer answer_;
};

}  // namespace tailwater::load
