// Runs seeds in several processes, so that a seed that crashes takes nothing with it and all processors are
// used.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "sim/faults.hpp"

namespace tailwater::simulate {

// What became of a seed; the larger, the worse.
enum class Fate : std::uint32_t {
  held,
  differs,  // the second run of the seed gave another digest
  idle,     // too few records or faults
  liveness,
  safety,
  crash,
};

struct Report {
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;
  std::uint64_t events = 0;
  std::uint64_t acknowledged = 0;
  Fate fate = Fate::held;
  std::array<std::uint64_t, sim::kFaults> faults{};
  std::string text;  // lines for a person
};

struct Work {
  std::uint64_t from = 1;
  std::uint64_t seeds = 1;
  unsigned processes = 1;
  std::function<Report(std::uint64_t seed)> run;
  // In the order in which they end; false: no more seeds.
  std::function<bool(const Report&)> done;
};

void work(const Work& work);

}  // namespace tailwater::simulate
