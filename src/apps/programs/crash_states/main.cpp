// crash_states: runs short courses over a storage, lets the power go at their points, and checks that every
// state that may be left recovers as it must. States are numbered; kStatesPerCourse of them belong to each
// course, so that any range can be run, and run again. Its last line sums up. Exit code: 0 all held, 1 one
// did not, 2 usage; a failed CHECK aborts and says in which state.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/check.hpp"
#include "crash_states/explore.hpp"

namespace {

using namespace tailwater::crash_states;

constexpr std::uint64_t kStatesPerCourse = 200;
constexpr std::uint64_t kStatesPerPoint = 12;

thread_local std::string state_in_work;

struct Wanted {
  std::uint64_t from = 0;
  std::uint64_t states = 20'000;
  std::uint64_t seed = 1;
  std::uint64_t jobs = 0;
  std::optional<Mode> mode;
  std::optional<std::size_t> workload;
  bool quiet = false;
};

void usage() {
  std::puts(
      "crash_states: lets the power go and looks at what a storage makes of every state that is left\n"
      "  --from N      first state (0); rounded down to the beginning of a course of 200\n"
      "  --states N    how many (20000)\n"
      "  --mode M      only direct_dsync, direct_fdatasync or buffered_fdatasync (in turn)\n"
      "  --workload W  only this one (in turn)\n"
      "  --seed N      another series of states (1)\n"
      "  --jobs N      in so many threads (one for each processor)\n"
      "  --quiet       only what failed, and the sum");
}

bool parse_number(const char* word, std::uint64_t& number) {
  char* end = nullptr;
  number = std::strtoull(word, &end, 10);
  return end != word && *end == '\0';
}

bool parse(int count, char** words, Wanted& wanted) {
  const std::map<std::string, std::uint64_t Wanted::*> numbers = {{"--from", &Wanted::from},
                                                                  {"--states", &Wanted::states},
                                                                  {"--seed", &Wanted::seed},
                                                                  {"--jobs", &Wanted::jobs}};
  for (int at = 1; at < count; ++at) {
    const std::string word = words[at];
    if (word == "--quiet") {
      wanted.quiet = true;
      continue;
    }
    if (at + 1 == count) return false;
    const char* value = words[++at];
    if (word == "--mode") {
      for (std::size_t mode = 0; mode < kModes; ++mode)
        if (kModeNames[mode] == value) wanted.mode = static_cast<Mode>(mode);
      if (!wanted.mode) return false;
    } else if (word == "--workload") {
      for (std::size_t index = 0; index < workloads().size(); ++index)
        if (workloads()[index].name == value) wanted.workload = index;
      if (!wanted.workload) return false;
    } else if (const auto number = numbers.find(word);
               number == numbers.end() || !parse_number(value, wanted.*(number->second))) {
      return false;
    }
  }
  return wanted.states > 0 && wanted.jobs <= 256;
}

struct Sum {
  std::mutex lock;
  std::uint64_t courses = 0;
  std::uint64_t points = 0;
  std::uint64_t states = 0;
  std::uint64_t repeated = 0;
  std::uint64_t failed = 0;
  std::map<std::string_view, std::uint64_t> kinds, workloads, modes, promises;
  std::map<std::string, std::uint64_t> findings;
};

void run(const Wanted& wanted, std::uint64_t course, Sum& sum) {
  const std::size_t count = workloads().size();
  const std::size_t index = wanted.workload.value_or(course % count);
  const std::uint64_t round = course / count;
  const Mode mode = wanted.mode.value_or(static_cast<Mode>((round + index) % kModes));
  const std::uint64_t seed = wanted.seed * 1'000'003 + course;
  Explorer explorer(workloads()[index], mode, Lie::none, seed,
                    {.states = kStatesPerCourse, .states_per_point = kStatesPerPoint});
  explorer.on_state = [&](std::uint64_t, const std::string& what) { state_in_work = what; };
  const Tally tally = explorer.run();
  const std::lock_guard guard(sum.lock);
  ++sum.courses;
  sum.points += tally.points;
  sum.states += tally.states;
  sum.repeated += tally.repeated;
  sum.workloads[workloads()[index].name] += tally.states;
  sum.modes[kModeNames[static_cast<std::size_t>(mode)]] += tally.states;
  for (std::size_t kind = 0; kind < kKinds; ++kind) sum.kinds[name_of(kind)] += tally.kinds[kind];
  sum.promises["compacted"] += tally.compacted;
  sum.promises["removed"] += tally.removed;
  sum.promises["acknowledged_only"] += tally.behind;
  for (const auto& [finding, times] : tally.findings) sum.findings[finding] += times;
  if (!tally.failure.empty()) {
    ++sum.failed;
    std::printf("FAILED --from %llu --seed %llu (%s): %s\n",
                static_cast<unsigned long long>(course * kStatesPerCourse),
                static_cast<unsigned long long>(wanted.seed), tally.failed_state.c_str(),
                tally.failure.c_str());
  }
  if (!wanted.quiet && sum.courses % 25 == 0)
    std::printf("%llu states\n", static_cast<unsigned long long>(sum.states));
  std::fflush(stdout);
}

void print(const char* title, const std::map<std::string_view, std::uint64_t>& counts) {
  std::printf("%s", title);
  for (const auto& [name, count] : counts)
    std::printf(" %s=%llu", std::string(name).c_str(), static_cast<unsigned long long>(count));
  std::printf("\n");
}

}  // namespace

int main(int count, char** words) {
  Wanted wanted;
  if (!parse(count, words, wanted)) {
    usage();
    return 2;
  }
  tailwater::set_check_hook([](const char* condition, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: CHECK(%s) in %s\n", file, line, condition, state_in_work.c_str());
  });
  if (wanted.jobs == 0) wanted.jobs = std::max(1U, std::thread::hardware_concurrency());
  const std::uint64_t first = wanted.from / kStatesPerCourse;
  std::atomic<std::uint64_t> next = first;
  Sum sum;
  const auto work = [&] {
    while (true) {
      {
        const std::lock_guard guard(sum.lock);
        if (sum.states >= wanted.states) return;
      }
      run(wanted, next++, sum);
    }
  };
  std::vector<std::jthread> threads;
  for (std::uint64_t each = 0; each < wanted.jobs; ++each) threads.emplace_back(work);
  threads.clear();
  for (const auto& [finding, times] : sum.findings)
    std::printf("FOUND %llu times: %s\n", static_cast<unsigned long long>(times), finding.c_str());
  print("KINDS", sum.kinds);
  print("WORKLOADS", sum.workloads);
  print("MODES", sum.modes);
  print("PROMISES", sum.promises);
  std::printf("states=%llu points=%llu courses=%llu repeated=%llu failed=%llu next=%llu\n",
              static_cast<unsigned long long>(sum.states), static_cast<unsigned long long>(sum.points),
              static_cast<unsigned long long>(sum.courses), static_cast<unsigned long long>(sum.repeated),
              static_cast<unsigned long long>(sum.failed),
              static_cast<unsigned long long>(next * kStatesPerCourse));
  return sum.failed == 0 ? 0 : 1;
}
