// What a seed makes of a simulation: sizes that are nasty and small as often as not, and which faults happen
// how often (each kind is off in half of the seeds).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/prng.hpp"
#include "base/time.hpp"
#include "sim/faults.hpp"

namespace tailwater::sim {

struct Options {
  std::uint32_t shards = 1;
  std::int32_t partitions = 1;  // of the main topic
  std::uint64_t journal_bytes = 0;
  std::uint64_t direct_bytes = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t recycle_bytes = 0;
  std::uint64_t segment_ms = 0;
  std::uint64_t segment_bytes = 0;
  std::uint64_t exact_producers = 0;
  std::uint64_t plain_producers = 0;
  std::uint64_t consumers = 0;
  std::uint64_t members = 0;
  std::uint64_t transactors = 0;
  std::uint64_t transformers = 0;  // of the transactors: they consume the main topic
  std::int32_t transaction_timeout_ms = 0;
  bool recreates = false;             // a topic is deleted and created anew, again and again
  std::uint64_t delete_delay_ms = 0;  // of that topic's files
  std::uint64_t log_dirs = 1;
  bool trims = false;                 // DeleteRecords on the main topic
  std::int64_t retention_ms = -1;     // of it
  std::int64_t retention_bytes = -1;  // of each of its partitions
  bool compacts = false;              // a topic of which the latest of each key stays
  std::int64_t hasty_messages = -1;   // flush.messages of a topic with tailwater.durability=os; -1: no topic
  std::size_t padding_max = 0;
  Duration producer_pause_max;
  Duration network_delay_max;
  Duration mail_delay_max;  // between shards
  Duration fault_interval;  // mean, between two of the nemesis's deeds
  std::array<bool, kFaults> enabled{};

  bool expires() const { return retention_ms >= 0 || retention_bytes >= 0; }
  bool has(Fault fault) const { return enabled[static_cast<std::size_t>(fault)]; }
  std::string text() const;
};

Options draw_options(Prng& random);

}  // namespace tailwater::sim
