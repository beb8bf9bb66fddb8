// What load is to be made, and the scenarios that the project measures itself by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tailwater::load {

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
  bool transactions = false;   // each batch in a transaction of its own; a producer for each connection
  double megabytes_per_s = 0;  // of values, at fixed times; 0: as fast as answers come

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
