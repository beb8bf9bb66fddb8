// Fetch without intermediate structs: a reader that walks a request in place, and a writer of responses whose
// record bytes stay where they are: it writes everything around them and keeps a list of pieces to send. Both
// agree with decode() and encode() of wire/api/fetch.hpp byte for byte; a test holds them together.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "wire/error_code.hpp"
#include "wire/produce_stream.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace tailwater::wire {

// Walks a request that open() has checked from end to end. Everything is borrowed from the body.
//   while (request.next_topic()) while (request.next_partition()) ...
//   while (request.next_forgotten_topic()) while (request.next_forgotten_partition()) ...
class FetchReader {
 public:
  // What concerns the whole request; fields that the version lacks have their defaults.
  struct Head {
    std::optional<std::string_view> cluster_id;
    std::int32_t replica_id = -1;  // wherever the version carries it
    std::int64_t replica_epoch = -1;
    std::int32_t max_wait_ms = 0;
    std::int32_t min_bytes = 0;
    std::int32_t max_bytes = INT32_MAX;
    std::int8_t isolation_level = 0;
    std::int32_t session_id = 0;
    std::int32_t session_epoch = -1;
    std::string_view rack_id;
    std::size_t topics = 0;
    std::size_t partitions = 0;
    std::size_t forgotten_topics = 0;
  };

  struct Partition {
    std::int32_t index = 0;
    std::int32_t current_leader_epoch = -1;
    std::int64_t fetch_offset = 0;
    std::int32_t last_fetched_epoch = -1;
    std::int64_t log_start_offset = -1;
    std::int32_t partition_max_bytes = 0;
    Uuid replica_directory_id;
    std::int64_t high_watermark = INT64_MAX;
  };

  static Result<FetchReader> open(Bytes body, std::int16_t version);

  const Head& head() const { return head_; }

  bool next_topic();
  bool next_partition();
  // Of the topic or forgotten topic at hand: the name up to version 12, the id from 13 on.
  std::string_view topic_name() const { return topic_name_; }
  const Uuid& topic_id() const { return topic_id_; }
  const Partition& partition() const { return partition_; }

  // May be walked without, before or after the topics.
  bool next_forgotten_topic();
  bool next_forgotten_partition();
  std::int32_t forgotten_partition() const { return forgotten_partition_; }

  // Back to before the first topic and the first forgotten one.
  void rewind();

 private:
  // A place in an array of topics, with what is still to come there.
  struct Walk {
    Reader reader;
    std::size_t topics_left = 0;
    std::size_t partitions_left = 0;
    bool in_topic = false;
  };

  FetchReader(Bytes body, std::int16_t version);
  void read_head(Reader& reader);
  void read_tail(Reader& reader);
  void read_replica_state(Reader& reader);
  void read_partition_tags(Reader& reader);
  void start(Walk& walk, const Reader& at, std::size_t topics) const;
  bool open_topic(Walk& walk, std::size_t partition_bytes);
  void close_topic(Walk& walk) const;

  std::int16_t version_;
  Form form_;
  Head head_;
  Reader first_topic_;
  Reader first_forgotten_;
  Walk wanted_;
  Walk forgotten_;
  std::string_view topic_name_;
  Uuid topic_id_;
  Partition partition_;
  std::int32_t forgotten_partition_ = 0;
};

struct FetchAbortedTransaction {
  std::int64_t producer_id = 0;
  std::int64_t first_offset = 0;
};

// A partition's part of the response, all but its records.
struct FetchOutcome {
  std::int32_t partition = 0;
  ErrorCode error = ErrorCode::none;
  std::int64_t high_watermark = -1;
  std::int64_t last_stable_offset = -1;
  std::int64_t log_start_offset = -1;
  // Where the follower's log and ours part; -1 if they do not.
  std::int32_t diverging_epoch = -1;
  std::int64_t diverging_end_offset = -1;
  // Where to go instead; -1 if unknown.
  std::int32_t leader_id = -1;
  std::int32_t leader_epoch = -1;
  // Null unless the fetch is read_committed.
  std::optional<std::span<const FetchAbortedTransaction>> aborted;
  std::int32_t preferred_read_replica = -1;
};

// Bytes to send: a stretch of the header buffer, then a payload that stays where it is.
struct FetchPiece {
  std::size_t header_begin = 0;
  std::size_t header_end = 0;
  Bytes payload;
};

// Writes one whole frame into `headers` and appends its pieces to `pieces`; sent in order they are the
// response.
//   constructor with the number of topics; for each topic() the announced partitions: partition() with the
//   sum of its record bytes, then exactly that many through payload(), in any number of spans; finish().
// The buffers keep their capacity between responses, so that nothing is allocated in the steady state.
// Several responses may share `headers` and `pieces`. REQUIRES: the announced numbers follow (CHECKed).
class FetchResponseWriter {
 public:
  struct Head {
    std::int32_t correlation_id = 0;
    std::int32_t throttle_time_ms = 0;
    ErrorCode error = ErrorCode::none;
    std::int32_t session_id = 0;
    std::size_t topics = 0;
  };

  FetchResponseWriter(Buffer& headers, std::vector<FetchPiece>& pieces, std::int16_t version,
                      const Head& head);

  void topic(std::string_view name, const Uuid& id, std::size_t partitions);
  void partition(const FetchOutcome& outcome, std::size_t record_bytes);
  void payload(Bytes records);
  // Bytes of the whole frame, its four bytes of size included.
  std::size_t finish(std::span<const NodeEndpointView> endpoints = {});

 private:
  void close_partition();
  void close_topic();

  Buffer& headers_;
  std::vector<FetchPiece>& pieces_;
  std::size_t frame_;
  std::size_t piece_begin_;
  Writer writer_;
  std::int16_t version_;
  Form form_;
  std::size_t topics_left_;
  std::size_t partitions_left_ = 0;
  std::size_t record_bytes_left_ = 0;
  std::size_t payload_bytes_ = 0;
  bool in_topic_ = false;
  bool in_partition_ = false;
  FetchOutcome outcome_;  // for the tags, which follow the records
};

// The pieces as spans for one gathered send, empty ones left out. Valid until `headers` changes.
void gather(const Buffer& headers, std::span<const FetchPiece> pieces, std::vector<Bytes>& out);

}  // namespace tailwater::wire
