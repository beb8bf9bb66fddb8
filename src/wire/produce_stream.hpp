// Produce without intermediate structs: a reader that walks a request's partitions in place, and a writer
// that puts the response straight into the output buffer. Both agree with decode() and encode() of
// wire/api/produce.hpp byte for byte; a test holds them together. Neither allocates, except that the output
// buffer grows.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "wire/error_code.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace tailwater::wire {

// Walks a request that open() has checked from end to end, so that nothing fails half-way through:
//   while (request.next_topic()) while (request.next_partition()) use(request.topic_name(),
//   request.partition());
// Everything is borrowed from the body, which stays alive as long as the reader.
class ProduceReader {
 public:
  struct Partition {
    std::int32_t index = 0;
    std::optional<Bytes> records;
  };

  // `body` is what follows the request header. Errc::unsupported for a version that Produce does not have.
  static Result<ProduceReader> open(Bytes body, std::int16_t version);

  const std::optional<std::string_view>& transactional_id() const { return transactional_id_; }
  std::int16_t acks() const { return acks_; }
  std::int32_t timeout_ms() const { return timeout_ms_; }
  // Sums over the whole request.
  std::size_t topics() const { return topics_; }
  std::size_t partitions() const { return partitions_; }
  std::size_t record_bytes() const { return record_bytes_; }

  bool next_topic();
  // One of both, depending on the version: the name up to 12, the id from 13 on.
  std::string_view topic_name() const { return topic_name_; }
  const Uuid& topic_id() const { return topic_id_; }
  std::size_t topic_partitions() const { return topic_partitions_; }

  bool next_partition();
  const Partition& partition() const { return partition_; }

  // Back to before the first topic.
  void rewind();

 private:
  ProduceReader(Bytes body, std::int16_t version);
  void read_head();
  void close_topic();

  Reader reader_;
  Reader first_topic_;
  std::int16_t version_;
  Form form_;
  std::optional<std::string_view> transactional_id_;
  std::int16_t acks_ = 0;
  std::int32_t timeout_ms_ = 0;
  std::size_t topics_ = 0;
  std::size_t partitions_ = 0;
  std::size_t record_bytes_ = 0;
  std::size_t topics_left_ = 0;
  std::size_t partitions_left_ = 0;
  bool in_topic_ = false;
  std::string_view topic_name_;
  Uuid topic_id_;
  std::size_t topic_partitions_ = 0;
  Partition partition_;
};

struct ProduceRecordError {
  std::int32_t batch_index = 0;
  std::optional<std::string_view> message;
};

struct ProduceOutcome {
  std::int32_t partition = 0;
  ErrorCode error = ErrorCode::none;
  std::int64_t base_offset = -1;
  std::int64_t log_append_time_ms = -1;
  std::int64_t log_start_offset = -1;
  std::span<const ProduceRecordError> record_errors;
  std::optional<std::string_view> error_message;
  // Where to go instead; -1 if unknown.
  std::int32_t leader_id = -1;
  std::int32_t leader_epoch = -1;
};

// A broker that a response points its client to.
struct NodeEndpointView {
  std::int32_t node_id = 0;
  std::string_view host;
  std::int32_t port = 0;
  std::optional<std::string_view> rack;
};

// Appends one whole frame: begin with the number of topics, each topic with its number of partitions, then
// finish. REQUIRES: exactly the announced numbers follow (CHECKed).
class ProduceResponseWriter {
 public:
  ProduceResponseWriter(Buffer& to, std::int16_t version, std::int32_t correlation_id, std::size_t topics);

  void topic(std::string_view name, const Uuid& id, std::size_t partitions);
  void partition(const ProduceOutcome& outcome);
  void finish(std::int32_t throttle_time_ms, std::span<const NodeEndpointView> endpoints = {});

 private:
  void close_topic();

  Buffer& to_;
  std::size_t frame_;
  Writer writer_;
  std::int16_t version_;
  Form form_;
  std::size_t topics_left_;
  std::size_t partitions_left_ = 0;
  bool in_topic_ = false;
};

// The tagged field NodeEndpoints, tag 0, that Produce and Fetch responses share; writes the tagged section's
// count.
void write_node_endpoints(Writer& writer, std::span<const NodeEndpointView> endpoints);

}  // namespace tailwater::wire
