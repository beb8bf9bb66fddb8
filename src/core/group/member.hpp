// One member of a classic group: who it is, what it supports, what it was given, and what it waits for.
// Plain data; the group (group.hpp) keeps the counts that depend on it, so members change through the group
// only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "core/group/types.hpp"

namespace tailwater::group {

// An assignment strategy that a member supports, with the member's opaque metadata for it.
struct Protocol {
  std::string name;
  Buffer metadata;
  friend bool operator==(const Protocol&, const Protocol&) = default;
};

// A parked request: its answer goes out later, in the form of its version.
struct Waiting {
  Ticket ticket;
  std::int16_t version = 0;
};

struct Member {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  Duration rebalance_timeout;
  Duration session_timeout;
  std::vector<Protocol> protocols;  // in the member's order of preference, names distinct
  Buffer assignment;

  std::uint64_t order = 0;    // counts joiners; the leader is the lowest of those that may lead
  bool is_new = false;        // joined in the running join phase and was never answered
  bool pending_sync = false;  // was answered its join of this generation and has not synced yet
  std::optional<Waiting> join;
  std::optional<Waiting> sync;
  Instant session_deadline;

  const Buffer* metadata_of(std::string_view protocol) const {
    for (const Protocol& own : protocols) {
      if (own.name == protocol) return &own.metadata;
    }
    return nullptr;
  }
  // Bytes that this member holds in memory, near enough for a budget.
  std::size_t weight() const {
    constexpr std::size_t fixed = 512;
    std::size_t bytes = fixed + 2 * id.size() + client_id.size() + client_host.size() + assignment.size();
    if (instance_id) bytes += 2 * instance_id->size();
    for (const Protocol& own : protocols) bytes += 64 + own.name.size() + own.metadata.size();
    return bytes;
  }
};

}  // namespace tailwater::group
