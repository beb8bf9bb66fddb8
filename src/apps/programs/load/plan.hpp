// What load is to be made, and the scenarios that the project measures itself by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "records/batch.hpp"

namespace tailwater::load {

enum class Kind : std::uint8_t {
  produce,       // connections write
  transactions,  // each batch in a transaction of its own; a producer for each connection
  consume,       // consumers read what was written before, round and round
  follow,        // consumers wait for what connections write
  cold,          // connections write at half of their pace, beside a consumer of what no memory holds
  group,         // consumers come and go, as members of one group; nothing is written or read
};

struct Plan {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string topic;  // made by this program; empty: a name of its own

  std::uint32_t partitions = 6;
  std::uint32_t connections = 6;
  std::uint32_t in_flight = 5;       // requests of a connection that are not answered yet
  std::uint32_t batches = 1;         // of a request, each for a partition of its own
  std::uint32_t records = 1;         // of a batch
  std::uint32_t record_bytes = 100;  // of a value
  std::int16_t acks = -1;
  records::Codec codec = records::Codec::none;  // of batches; values are text then, else noise
  Kind kind = Kind::produce;
  double megabytes_per_s = 0;  // of values, at fixed times; 0: as fast as answers come

  std::uint32_t consumers = 0;                    // each with a connection, and all partitions
  std::uint32_t partition_bytes = 1 << 20;        // of a partition in an answer to Fetch, at most
  std::uint32_t preload_mb = 0;                   // of values, written before anything is measured
  std::string evict;                              // below this folder the page cache is emptied of the topic
  std::optional<std::uint64_t> requests_of_each;  // connection; then no more

  double warm_s = 1;
  double seconds = 5;
};

// False if there is no scenario of that name.
bool apply_scenario(std::string_view name, Plan& plan);
// Lines of `name  what it is`.
std::string scenario_help();

// Reads the command line; the text is what to print instead of running, and the code to end with.
struct Refusal {
  std::string text;
  int code = 0;
};
std::optional<Refusal> parse(int count, const char* const* words, Plan& plan);

}  // namespace tailwater::load
