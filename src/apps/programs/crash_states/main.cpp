// crash_states: runs short courses over a storage, lets the power go at their points, and checks that every
// state that may be left recovers as it must. States are numbered; kStatesPerCourse of them belong to each
// course, so that any range can be run, and run again. Or it goes through all short sequences of acts. Its last
// line sums up. Exit code: 0 all held, 1 one did not, 2 usage; a failed CHECK aborts and says in which state.
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
#include "crash_states/sequences.hpp"

namespace {

using namespace tailwater::crash_states;

constexpr std::uint64_t kStatesPerCourse = 200;
constexpr std::uint64_t kStatesPerPoint = 12;

thread_local std::string state_in_work;

struct Wanted {
  std::uint64_t from = 0;
  std::optional<std::uint64_t> states;  // none: 20,000 of courses, all of sequences
  std::uint64_t seed = 1;
  std::uint64_t jobs = 0;
  std::optional<std::uint64_t>
      per_point;  // none: kStatesPerPoint of courses, all that are tried of sequences
  std::optional<std::uint64_t> sequences;
  std::vector<Act> acts;  // of the one sequence that is wanted
  std::optional<Mode> mode;
  std::string workload;
  bool quiet = false;

  bool by_sequence() const { return sequences.has_value() || !acts.empty(); }
};

void usage() {
  std::puts(
      "crash_states: lets the power go and looks at what a storage makes of every state that is left\n"
      "  --from N      first state (0); rounded down to the beginning of a course of 200\n"
      "  --states N    how many (20000)\n"
      "  --sequences N instead: all sequences of up to N acts, at each of their points\n"
      "  --acts A,B    instead: this one sequence, its last act\n"
      "  --mode M      only direct_dsync, direct_fdatasync or buffered_fdatasync (in turn)\n"
      "  --workload W  only this one (in turn); of sequences fresh, used, used_os or used_compacted\n"
      "  --per-point N at most so many states of a point (12; of sequences all)\n"
      "  --seed N      another series of states (1)\n"
      "  --jobs N      in so many threads (one for each processor)\n"
      "  --quiet       only what failed, and the sum");
}

bool parse_number(const char* word, std::uint64_t& number) {
  char* end = nullptr;
  number = std::strtoull(word, &end, 10);
  return end != word && *end == '\0';
}

bool parse_acts(std::string_view words, std::vector<Act>& acts) {
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(','));
    words.remove_prefix(std::min(words.size(), word.size() + 1));
    const auto found = std::ranges::find(kActNames, word);
    if (found == std::end(kActNames)) return false;
    acts.push_back(static_cast<Act>(found - kActNames));
  }
  return !acts.empty();
}

bool is_workload(const Wanted& wanted) {
  const auto named = [&](const Workload& workload) { return workload.name == wanted.workload; };
  return wanted.by_sequence() ? std::ranges::any_of(sequence_settings(), named, &SequenceSetting::workload)
                              : std::ranges::any_of(workloads(), named);
}

bool parse_mode(std::string_view word, std::optional<Mode>& mode) {
  const auto found = std::ranges::find(kModeNames, word);
  if (found == std::end(kModeNames)) return false;
  mode = static_cast<Mode>(found - kModeNames);
  return true;
}

bool parse_word(std::string_view word, const char* value, Wanted& wanted) {
  if (word == "--mode") return parse_mode(value, wanted.mode);
  if (word == "--acts") return parse_acts(value, wanted.acts);
  if (word == "--from") return parse_number(value, wanted.from);
  if (word == "--seed") return parse_number(value, wanted.seed);
  if (word == "--jobs") return parse_number(value, wanted.jobs) && wanted.jobs <= 256;
  if (word == "--states") return parse_number(value, wanted.states.emplace()) && *wanted.states > 0;
  if (word == "--per-point") return parse_number(value, wanted.per_point.emplace()) && *wanted.per_point > 0;
  if (word == "--sequences")
    return parse_number(value, wanted.sequences.emplace()) && *wanted.sequences <= kSequenceActsMax;
  if (word == "--workload") wanted.workload = value;
  return word == "--workload";
}

bool parse(int count, char** words, Wanted& wanted) {
  for (int at = 1; at < count; ++at) {
    const std::string_view word = words[at];
    if (word == "--quiet") {
      wanted.quiet = true;
      continue;
    }
    if (at + 1 == count || !parse_word(word, words[++at], wanted)) return false;
  }
  if (wanted.sequences && !wanted.acts.empty()) return false;
  if (wanted.by_sequence() && (wanted.from > 0 || wanted.states)) return false;
  return wanted.workload.empty() || is_workload(wanted);
}

// What one thread does at a time.
struct Job {
  const Workload* workload = nullptr;
  Mode mode{};
  std::uint64_t seed = 0;
  std::optional<Script> script;
  std::string again;  // the words that bring it back
};

// What of the words is the same for all jobs, and decides which states they try.
std::string chosen(const Wanted& wanted) {
  std::string words = " --seed " + std::to_string(wanted.seed);
  if (wanted.per_point) words += " --per-point " + std::to_string(*wanted.per_point);
  return words;
}

std::string_view word_of(Mode mode) {
  return kModeNames[static_cast<std::size_t>(mode)];
}

// The workloads take turns, and each goes through the modes.
Job course(const Wanted& wanted, std::uint64_t number) {
  const std::span<const Workload> all = workloads();
  std::size_t index = number % all.size();
  if (!wanted.workload.empty())
    index = static_cast<std::size_t>(std::ranges::find(all, wanted.workload, &Workload::name) - all.begin());
  Job job{.workload = &all[index], .seed = wanted.seed * 1'000'003 + number};
  job.mode = wanted.mode.value_or(static_cast<Mode>((number / all.size() + index) % kModes));
  job.again = "--from " + std::to_string(number * kStatesPerCourse) + " --states 1 --jobs 1 --workload " +
              std::string(job.workload->name) + " --mode " + std::string(word_of(job.mode)) + chosen(wanted);
  return job;
}

std::vector<Job> sequence_jobs(const Wanted& wanted) {
  std::vector<Job> jobs;
  const auto add = [&](const SequenceSetting& setting, const std::vector<Act>& acts, bool longest) {
    std::string names;
    for (const Act act : acts)
      names += (names.empty() ? " --acts " : ",") + std::string(kActNames[static_cast<std::size_t>(act)]);
    for (std::size_t index = 0; index < kModes; ++index) {
      const auto mode = static_cast<Mode>(index);
      if (wanted.mode.value_or(mode) != mode) continue;
      Job job{.workload = &setting.workload, .mode = mode, .seed = wanted.seed};
      job.script = script_of(setting, acts, longest);
      job.again = "--workload " + std::string(setting.workload.name) + " --mode " +
                  std::string(word_of(mode)) + chosen(wanted) + (names.empty() ? " --sequences 0" : names);
      jobs.push_back(std::move(job));
    }
  };
  for (const SequenceSetting& setting : sequence_settings()) {
    if (!wanted.workload.empty() && setting.workload.name != wanted.workload) continue;
    if (!wanted.acts.empty()) add(setting, wanted.acts, true);
    const std::uint64_t count = wanted.sequences ? sequences_up_to(*wanted.sequences) : 0;
    for (std::uint64_t number = 0; number < count; ++number) {
      const std::vector<Act> acts = sequence(number);
      add(setting, acts, acts.size() == *wanted.sequences);
    }
  }
  return jobs;
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

void run(const Wanted& wanted, const Job& job, Sum& sum) {
  // An act has few points: at each of them the process dies, too.
  Limits limits{.states_per_point = wanted.per_point.value_or(UINT64_MAX), .death_every = 1};
  if (!job.script)
    limits = {.states = kStatesPerCourse, .states_per_point = wanted.per_point.value_or(kStatesPerPoint)};
  Explorer explorer(*job.workload, job.mode, Lie::none, job.seed, limits);
  explorer.on_state = [&](std::uint64_t, const std::string& what) {
    state_in_work = what + ", " + job.again;
  };
  const Tally tally = job.script ? explorer.run(job.script->acts, job.script->from) : explorer.run();
  const std::lock_guard guard(sum.lock);
  ++sum.courses;
  sum.points += tally.points;
  sum.states += tally.states;
  sum.repeated += tally.repeated;
  sum.workloads[job.workload->name] += tally.states;
  sum.modes[word_of(job.mode)] += tally.states;
  for (std::size_t kind = 0; kind < kKinds; ++kind) sum.kinds[name_of(kind)] += tally.kinds[kind];
  sum.promises["compacted"] += tally.compacted;
  sum.promises["removed"] += tally.removed;
  sum.promises["acknowledged_only"] += tally.behind;
  for (const auto& [finding, times] : tally.findings) sum.findings[finding] += times;
  if (!tally.failure.empty()) {
    ++sum.failed;
    std::printf("FAILED %s (%s): %s\n", job.again.c_str(), tally.failed_state.c_str(), tally.failure.c_str());
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
  const std::uint64_t states = wanted.states.value_or(20'000);
  const std::vector<Job> sequences = sequence_jobs(wanted);
  std::atomic<std::uint64_t> next = wanted.from / kStatesPerCourse;
  Sum sum;
  const auto work_on_courses = [&] {
    while (true) {
      {
        const std::lock_guard guard(sum.lock);
        if (sum.states >= states) return;
      }
      run(wanted, course(wanted, next++), sum);
    }
  };
  const auto work_on_sequences = [&] {
    for (std::uint64_t at = next++; at < sequences.size(); at = next++) run(wanted, sequences[at], sum);
  };
  const auto work = [&] { wanted.by_sequence() ? work_on_sequences() : work_on_courses(); };
  std::vector<std::jthread> threads;
  for (std::uint64_t each = 0; each < wanted.jobs; ++each) threads.emplace_back(work);
  threads.clear();
  for (const auto& [finding, times] : sum.findings)
    std::printf("FOUND %llu times: %s\n", static_cast<unsigned long long>(times), finding.c_str());
  print("KINDS", sum.kinds);
  print("WORKLOADS", sum.workloads);
  print("MODES", sum.modes);
  print("PROMISES", sum.promises);
  std::printf("states=%llu points=%llu courses=%llu repeated=%llu failed=%llu",
              static_cast<unsigned long long>(sum.states), static_cast<unsigned long long>(sum.points),
              static_cast<unsigned long long>(sum.courses), static_cast<unsigned long long>(sum.repeated),
              static_cast<unsigned long long>(sum.failed));
  if (!wanted.by_sequence())
    std::printf(" next=%llu", static_cast<unsigned long long>(next * kStatesPerCourse));
  std::printf("\n");
  return sum.failed == 0 ? 0 : 1;
}
