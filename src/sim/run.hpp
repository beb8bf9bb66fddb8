// One simulation: a broker, producers, members of a group, clean restarts in between, all from one seed; then
// the verdict. GUARANTEES: the same seed gives the same digest, on every compiler.
#pragma once

#include <cstdint>
#include <string>

namespace tailwater::sim {

struct Outcome {
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;
  std::uint64_t unseed = 0;  // one more draw after the end: equal only if everything before was
  std::uint64_t events = 0;
  std::uint64_t acknowledged = 0;  // records
  std::uint64_t read = 0;          // records, by the group
  std::uint64_t restarts = 0;
  std::int64_t simulated_ms = 0;
  std::string failure;  // empty: everything held
};

Outcome run(std::uint64_t seed);

}  // namespace tailwater::sim
