// The port to the metadata store: one ordered changelog of entries, a snapshot from time to time, and the
// registrations of brokers. It decides nothing and knows no record.
#pragma once

//   entry     bytes of at most kEntryBytesMax under the number `expected head + 1`; once append() has
//             answered with success the entry is on stable storage, and it is never changed
//   snapshot  chunks of at most kEntryBytesMax that stand for all entries up to a version; putting one
//             allows the store to forget entries up to that version. All chunks or none.
//   register  makes a broker visible to the others for as long as its session lasts; a new
//             registration of the same id gets a greater epoch
//
// Machines use the effects and inputs below; adapters implement MetadataStore (blocking calls, made by one
// thread at a time, off the shards) and pass the suite in metadata_store_contract.hpp. Adapters:
// MemoryMetadataStore (tests and the simulator), an SQLite file (one broker), ZooKeeper (a cluster).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "core/cluster/image.hpp"
#include "core/cluster/version.hpp"

namespace tailwater::cluster {

inline constexpr std::size_t kEntryBytesMax = 512 * 1024;

// --- effects and inputs of machines

using StoreToken = StrongId<struct StoreTokenTag, std::uint64_t>;

// Append `batch` as entry expected_head + 1. Answered by MetadataController::stored(token, outcome).
struct StoreAppend {
  StoreToken token;
  MetadataVersion expected_head;
  Buffer batch;
};

// Put a snapshot. Its outcome is only worth a log line.
struct StoreSnapshot {
  MetadataVersion version;
  std::vector<Buffer> chunks;
};

// Errc::already_exists: the head is not the expected one (another controller appended); unavailable: the
// store does not answer and the outcome is unknown; out_of_space, storage: as said.
using StoreOutcome = Result<MetadataVersion>;

// --- the interface of adapters

struct StoreEntry {
  MetadataVersion version;
  Buffer batch;
};

struct SnapshotData {
  MetadataVersion version;
  std::vector<Buffer> chunks;
  friend bool operator==(const SnapshotData&, const SnapshotData&) = default;
};

// What a broker says of itself while it is alive.
struct Registration {
  BrokerId broker;
  std::int64_t epoch = -1;  // given by the store
  Uuid incarnation;
  std::optional<std::string> rack;
  std::vector<Endpoint> endpoints;
  std::vector<Uuid> log_dirs;
  friend bool operator==(const Registration&, const Registration&) = default;
};

class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  // The number of the last entry, 0 if there is none.
  virtual Result<MetadataVersion> head() = 0;
  // Appends the entry expected_head + 1. Fails with already_exists, and changes nothing, if the head is
  // another one.
  virtual Result<MetadataVersion> append(MetadataVersion expected_head, Bytes batch) = 0;
  // Entries from `first` on, in order, at most `entries_max` of them; empty if `first` is beyond the head.
  // Fails with not_found if `first` was forgotten after a snapshot: read that and go on from its version.
  virtual Result<std::vector<StoreEntry>> read(MetadataVersion first, std::size_t entries_max) = 0;

  // Replaces the snapshot if `version` is greater than that of the present one; entries up to `version` may
  // be forgotten.
  virtual Result<void> put_snapshot(MetadataVersion version, const std::vector<Buffer>& chunks) = 0;
  // The newest whole snapshot, or nullopt if none was ever put.
  virtual Result<std::optional<SnapshotData>> get_snapshot() = 0;

  // Calls `on_change` after the head moved, from any thread, at least once for the newest head. One watcher;
  // an empty function ends watching.
  virtual void watch_head(std::function<void(MetadataVersion)> on_change) = 0;

  // Returns the epoch of the new registration, greater than every earlier one of this broker id.
  virtual Result<std::int64_t> register_broker(const Registration& registration) = 0;
  // Ends a registration, if this epoch is the present one.
  virtual Result<void> expire_broker(BrokerId broker, std::int64_t epoch) = 0;
  // All present registrations, in the order of broker ids.
  virtual Result<std::vector<Registration>> registrations() = 0;
};

// Errors that all adapters share.
Error wrong_head(MetadataVersion expected, MetadataVersion actual);
Error entry_too_large(std::size_t bytes);
Error entry_forgotten(MetadataVersion version);

}  // namespace tailwater::cluster
