// One simulation: a broker, model clients, and faults, all from one seed; then everything heals, and the
// verdict. GUARANTEES: the same seed gives the same digest, on every compiler.
#pragma once

#include <cstdint>
#include <string>

#include "sim/faults.hpp"

namespace tailwater::sim {

enum class Verdict : std::uint8_t {
  held,
  safety,    // something was promised or shown that is not so
  liveness,  // healed, and still not at rest in time
  idle,      // nothing held that could have failed: too few records or faults, too short
};

struct Outcome {
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;
  std::uint64_t unseed = 0;  // one more draw after the end: equal only if everything before was
  std::uint64_t events = 0;
  std::uint64_t acknowledged = 0;  // records
  std::uint64_t read = 0;          // records, by all readers
  std::int64_t simulated_ms = 0;
  FaultCounts faults;
  std::string options;
  Verdict verdict = Verdict::held;
  std::string failure;  // empty: everything held
  std::string notes;    // what happened when, if asked for
};

enum class Notes : std::uint8_t { none, kept };
Outcome run(std::uint64_t seed, Notes notes = Notes::none);

}  // namespace tailwater::sim
