// What shards say to each other. Mail is made by one shard, handed over whole, and read by one other.
//
//   produce  the connection's shard sends the parts of a request to the shards of their partitions
//            (ProduceMail); each part is answered when its records are durable (ProducedMail)
//   fetch    the connection's shard asks for record bytes (FetchMail) and is given pinned pieces
//            (FetchedMail), which it returns when they are sent (UnpinMail); a shard that had nothing says
//            later that something came (ChangedMail)
//   call     everything else: one question to the shard that owns the matter, one answer (CallMail,
//            AnswerMail)
//   image    shard 0 tells all shards of a new metadata image, and learns when all have it (ImageMail,
//            ImageSeenMail)
//   offline  a shard tells all shards that a log directory failed for it (OfflineMail)
//
// Bytes and pins in mail belong to the sender: record spans of ProduceMail stay valid until the request is
// answered, pieces of FetchedMail until UnpinMail.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/uuid.hpp"
#include "core/cluster/image.hpp"
#include "core/log/storage.hpp"
#include "node/calls.hpp"
#include "node/watches.hpp"
#include "wire/error_code.hpp"

namespace tailwater::node {

using wire::ErrorCode;

// A partition as its own shard finds it.
struct PartitionKey {
  Uuid topic_id;
  PartitionId partition;
  friend auto operator<=>(const PartitionKey&, const PartitionKey&) = default;
};

// --- produce

struct ProduceTerms {
  std::int16_t acks = -1;
  std::int16_t version = 0;
  bool internal_allowed = false;
  std::string_view transactional_id;  // in the request's receive block, like the records
};

struct ProduceAsk {
  std::uint32_t part = 0;
  PartitionKey key;
  Bytes records;  // in the request's receive block
};

struct ProduceResult {
  std::uint32_t part = 0;
  ErrorCode error{};
  std::int64_t base_offset = -1;
  std::int64_t append_time_ms = -1;
  std::int64_t log_start_offset = -1;
  std::string message;
  std::vector<std::pair<std::int32_t, std::string>> record_errors;
};

struct ProduceMail {
  std::uint64_t request = 0;
  ProduceTerms terms;
  std::vector<ProduceAsk> asks;
};

struct ProducedMail {
  std::uint64_t request = 0;
  std::vector<ProduceResult> results;
};

// --- fetch

struct FetchAsk {
  std::uint32_t part = 0;
  std::uint32_t target = 0;  // of the session
  PartitionKey key;
  std::int64_t offset = 0;
  std::int32_t bytes_max = 0;
  std::int32_t current_leader_epoch = -1;
  std::int32_t last_fetched_epoch = -1;
  bool at_least_one_batch = false;  // beyond all limits
};

struct FetchTerms {
  std::uint64_t session = 0;
  bool read_committed = false;
  // Say when something comes, if there are fewer bytes now or nothing is left behind them.
  bool watch = false;
  std::int32_t min_bytes = 0;
};

// What was read of a partition. The bytes are a run of the pieces that all parts beside it share.
struct FetchPart {
  std::uint32_t part = 0;
  std::uint32_t target = 0;  // of the session
  ErrorCode error{};
  std::int64_t high_watermark = -1;
  std::int64_t last_stable_offset = -1;
  std::int64_t log_start_offset = -1;
  // The reader's log parted from ours: where its last epoch ends here.
  std::optional<log::EpochEnd> diverging;
  std::uint32_t first_piece = 0;
  std::uint32_t pieces = 0;
  std::size_t bytes = 0;
  std::uint64_t countable = 0;  // of these bytes and what lies behind them, towards the fetch's min_bytes
  std::vector<log::AbortedTransaction> aborted;  // with read_committed: those that the pieces may hold
  bool at_end = false;                           // nothing is left to read, before or behind these bytes
  bool watched = false;                          // the next change will be told
  log::PinHandle pin;                            // 0: nothing to return
  ShardId owner;
};

struct FetchMail {
  std::uint64_t fetch = 0;
  std::uint32_t round = 0;
  FetchTerms terms;
  std::vector<FetchAsk> asks;
};

struct FetchedMail {
  std::uint64_t fetch = 0;
  std::uint64_t session = 0;
  std::uint32_t round = 0;
  std::vector<FetchPart> parts;
  std::vector<Bytes> pieces;
};

struct UnpinMail {
  std::vector<log::PinHandle> pins;
};

// Partitions changed that these targets of the receiver's sessions watch.
struct ChangedMail {
  std::vector<Watch> told;
};

// These targets do not want to hear of their partitions any more.
struct UnwatchMail {
  struct Target {
    PartitionKey key;
    std::uint64_t session = 0;
    std::uint32_t target = 0;
  };
  std::vector<Target> targets;
};

// --- everything else

struct CallMail {
  std::uint64_t gather = 0;
  std::uint32_t part = 0;
  CallBody body;
};

struct AnswerMail {
  std::uint64_t gather = 0;
  std::uint32_t part = 0;
  AnswerBody body;
};

struct ImageMail {
  cluster::ImageHandle image;
};

struct ImageSeenMail {
  cluster::MetadataVersion version;
};

struct OfflineMail {
  DirId dir;
};

struct ShardMail {
  ShardId from;
  std::variant<ProduceMail, ProducedMail, FetchMail, FetchedMail, UnpinMail, ChangedMail, UnwatchMail,
               CallMail, AnswerMail, ImageMail, ImageSeenMail, OfflineMail>
      content;
};

}  // namespace tailwater::node
