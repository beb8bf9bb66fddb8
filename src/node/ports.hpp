// The ports of a shard: what it wishes done at the end of a turn, and the plain values that its shell hands
// in. Every shell (sockets and disks, or the simulator) carries the wishes out and reports back as inputs of
// Shard.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/disk.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/cluster/config.hpp"
#include "core/cluster/metadata_store.hpp"

namespace tailwater::node {

struct ShardMail;  // a message between shards; its content is node's own business (mail.hpp)

// Mail is owned by one shard at a time. From one shard to another it arrives in the order in which it was
// sent.
struct Envelope {
  ShardId to;
  std::unique_ptr<ShardMail> mail;

  Envelope(ShardId to, std::unique_ptr<ShardMail> mail);
  Envelope(Envelope&&) noexcept;
  Envelope& operator=(Envelope&&) noexcept;
  ~Envelope();
};

// The other end of a connection, as text for logs, group descriptions and later for quotas and ACLs.
struct Peer {
  std::string address;  // without port, "127.0.0.1" or "::1"
  std::uint16_t port = 0;
};

enum class LogLevel : std::uint8_t { debug, info, warning, error };

// A line for the broker's log. Machines never put secrets or record bytes into it.
struct LogLine {
  LogLevel level = LogLevel::info;
  std::string text;
};

// What a shard wishes at the end of a turn. The shell carries out all of it and clears the lists; the object
// is reused, so that its capacity stays.
struct TurnEffects {
  // Connections that have bytes to send: call gather(), send, report sent(); again while gather() gives
  // pieces.
  std::vector<ConnectionId> send;
  // Connections whose receive_space() was empty and now is not: read them again.
  std::vector<ConnectionId> resume;
  // Connections to close now; no input for them is expected afterwards.
  std::vector<ConnectionId> close;
  std::vector<DiskOp> disk;
  std::vector<Envelope> mail;
  // Only from shard 0: appends to the metadata changelog, in order. Outcomes come back through
  // Shard::stored().
  std::vector<cluster::StoreAppend> store;
  // Only from shard 0: snapshots of the metadata, to be put after the appends before them. No outcome is
  // awaited.
  std::vector<cluster::StoreSnapshot> snapshots;
  // Only from shard 0, when it has changed: this broker's configuration with the dynamic values.
  std::optional<cluster::BrokerConfig> config;
  std::vector<LogLine> log;
  // The shard wants a turn at this time even if nothing else happens.
  Instant wake_at = Instant::max();

  void clear();
};

}  // namespace tailwater::node
