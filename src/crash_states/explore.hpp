// Goes through a course, lets the power go at its points, and gives every state that may be left to a fresh
// storage: it must recover, hold what was promised and nothing else, and be of use. Some of the recoveries
// lose power, too; some find a directory broken; and at some points only the process dies.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "crash_states/workload.hpp"
#include "disk_model/choices.hpp"

namespace tailwater::crash_states {

// How a state came about.
enum class Kind : std::uint8_t {
  // first the kinds of choices at one crash: disk_model::ChoiceKind
  second_crash = disk_model::kChoiceKinds,  // during the recovery from the first one
  second_life,                              // after a recovery that was followed by new appends
  death,                                    // of the process: the operating system has what it has
  without_dir,                              // the recovery finds one of several directories broken
};
inline constexpr std::size_t kKinds = disk_model::kChoiceKinds + 4;
std::string_view name_of(std::size_t kind);

struct Tally {
  std::uint64_t states = 0;
  std::uint64_t points = 0;
  std::uint64_t repeated = 0;  // states that were met before at the same promises, not counted
  std::array<std::uint64_t, kKinds> kinds{};
  std::uint64_t compacted = 0;  // states in which compaction had taken records away for good
  std::uint64_t removed = 0;    // in which a removal was over
  std::uint64_t behind = 0;     // in which more was acknowledged than promised
  std::map<std::string, std::uint64_t> findings;  // that storages had to tell, and how often
  std::string failure;                            // of the first state that failed
  std::string failed_state;
};

struct Limits {
  std::uint64_t states = UINT64_MAX;  // of the course
  std::uint64_t states_per_point = UINT64_MAX;
  std::uint64_t second_crash_every = 8;  // of so many states the recovery of one is crashed
  std::uint64_t without_dir_every = 6;   // of so many states one is recovered without a directory first
  std::uint64_t death_every = 4;         // at one of so many points the process dies, too
};

class Explorer {
 public:
  Explorer(const Workload& workload, Mode mode, Lie lie, std::uint64_t seed, Limits limits)
      : workload_(workload), mode_(mode), lie_(lie), seed_(seed), limits_(limits) {}

  // Before each state is tried: its number within the course and what it is.
  std::function<void(std::uint64_t state, const std::string& what)> on_state;

  // All points, or as many as it takes for limits.states. Stops at the first failure.
  Tally run();
  // The points from one of its acts on, counted from 1; the first start is before all.
  Tally run(std::span<const Act> script, std::size_t from = 0);

 private:
  class Crashes;
  Tally explore(const std::function<void(Course&)>& go, std::size_t from);

  const Workload& workload_;
  Mode mode_;
  Lie lie_;
  std::uint64_t seed_;
  Limits limits_;
};

}  // namespace tailwater::crash_states
