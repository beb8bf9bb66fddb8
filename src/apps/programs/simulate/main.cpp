// simulate: runs seeds in several processes and says what happened. Its last line sums up; the exit code is
// that of the worst seed: 0 all held, 127 a crash, 128 no rest in time (liveness), 129 a broken promise
// (safety); 1 two runs of a seed differed, a seed did too little to mean anything, or a kind of fault never
// fired over 100 seeds and more; 2 usage.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>

#include "base/check.hpp"
#include "sim/run.hpp"
#include "simulate/planting.hpp"
#include "simulate/workers.hpp"

namespace {

using tailwater::simulate::Fate;
using tailwater::simulate::Report;

// Fewer seeds need not bring every kind of fault about.
constexpr std::uint64_t kSeedsForEveryFault = 100;

struct Wanted {
  std::uint64_t from = 1;
  std::uint64_t seeds = 100;
  std::uint64_t jobs = 0;  // 0: as many as there are processors
  bool twice = false;
  bool quiet = false;
  bool verbose = false;
  bool first = false;
};

void usage() {
  std::puts(
      "simulate: one broker, model clients and faults in one thread, from one seed\n"
      "  --from N    first seed (1)\n"
      "  --seeds N   how many (100)\n"
      "  --jobs N    in so many processes (one for each processor)\n"
      "  --twice     run each seed twice and compare the digests\n"
      "  --verbose   what happened when\n"
      "  --quiet     only what failed, and the sum\n"
      "  --first     end with the first seed that fails\n"
      "  --plant X   with bug X, in a build that has bugs to plant (preset `plant`):");
  std::fputs(tailwater::simulate::plant_names().c_str(), stdout);
}

bool parse(int count, char** words, Wanted& wanted) {
  const std::map<std::string, bool Wanted::*> flags = {{"--twice", &Wanted::twice},
                                                       {"--quiet", &Wanted::quiet},
                                                       {"--verbose", &Wanted::verbose},
                                                       {"--first", &Wanted::first}};
  const std::map<std::string, std::uint64_t Wanted::*> numbers = {
      {"--from", &Wanted::from}, {"--seeds", &Wanted::seeds}, {"--jobs", &Wanted::jobs}};
  for (int at = 1; at < count; ++at) {
    if (const auto flag = flags.find(words[at]); flag != flags.end()) {
      wanted.*(flag->second) = true;
      continue;
    }
    if (words[at] == std::string_view("--plant")) {
      if (++at == count || !tailwater::simulate::plant(words[at])) return false;
      continue;
    }
    const auto number = numbers.find(words[at]);
    if (number == numbers.end() || at + 1 == count) return false;
    char* end = nullptr;
    wanted.*(number->second) = std::strtoull(words[++at], &end, 10);
    if (end == words[at] || *end != '\0') return false;
  }
  return wanted.seeds > 0 && wanted.jobs <= 256;
}

Fate fate_of(tailwater::sim::Verdict verdict) {
  using tailwater::sim::Verdict;
  switch (verdict) {
    case Verdict::held:
      return Fate::held;
    case Verdict::safety:
      return Fate::safety;
    case Verdict::liveness:
      return Fate::liveness;
    case Verdict::idle:
      return Fate::idle;
  }
  return Fate::safety;
}

std::string line_of(const tailwater::sim::Outcome& outcome) {
  char line[256];
  std::snprintf(
      line, sizeof line,
      "SEED=%llu DIGEST=%016llx UNSEED=%016llx events=%llu acknowledged=%llu read=%llu faults=%llu ms=%lld",
      static_cast<unsigned long long>(outcome.seed), static_cast<unsigned long long>(outcome.digest),
      static_cast<unsigned long long>(outcome.unseed), static_cast<unsigned long long>(outcome.events),
      static_cast<unsigned long long>(outcome.acknowledged), static_cast<unsigned long long>(outcome.read),
      static_cast<unsigned long long>(outcome.faults.total()), static_cast<long long>(outcome.simulated_ms));
  std::string text = line;
  if (!outcome.failure.empty()) text += " FAILED: " + outcome.failure + "\n  " + outcome.options;
  return text + "\n";
}

Report run(const Wanted& wanted, std::uint64_t seed) {
  using tailwater::sim::Notes;
  const auto outcome = tailwater::sim::run(seed, wanted.verbose ? Notes::kept : Notes::none);
  Report report{seed,
                outcome.digest,
                outcome.events,
                outcome.acknowledged,
                fate_of(outcome.verdict),
                outcome.faults.all(),
                {}};
  if (wanted.verbose) report.text = outcome.notes;
  if (wanted.twice) {
    const auto again = tailwater::sim::run(seed, Notes::none);
    if (again.digest != outcome.digest || again.unseed != outcome.unseed) {
      report.text += "SEED=" + std::to_string(seed) + " gave another digest the second time\n";
      report.fate = std::max(report.fate, Fate::differs);
    }
  }
  if (!wanted.quiet || report.fate != Fate::held) report.text += line_of(outcome);
  return report;
}

// The sum over all seeds.
struct Sum {
  std::map<std::uint64_t, std::uint64_t> digests;  // by seed
  std::uint64_t acknowledged = 0;
  std::uint64_t events = 0;
  std::uint64_t failed = 0;
  Fate worst = Fate::held;
  std::array<std::uint64_t, tailwater::sim::kFaults> faults{};

  void add(const Report& report) {
    digests[report.seed] = report.digest;
    acknowledged += report.acknowledged;
    events += report.events;
    if (report.fate != Fate::held) ++failed;
    worst = std::max(worst, report.fate);
    for (std::size_t fault = 0; fault < faults.size(); ++fault) faults[fault] += report.faults[fault];
  }
};

// How often each kind of fault fired; false if one never did.
bool print_faults(const Sum& sum) {
  bool every = true;
  std::printf("FAULTS");
  for (std::size_t fault = 0; fault < sum.faults.size(); ++fault) {
    std::printf(" %s=%llu", tailwater::sim::kFaultNames[fault].data(),
                static_cast<unsigned long long>(sum.faults[fault]));
    every = every && sum.faults[fault] > 0;
  }
  std::printf("\n");
  return every;
}

// Over all processes; two runs of a seed count once.
void print_speed(const Sum& sum) {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  const double used = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  std::printf("SPEED events per CPU second=%.0f CPU seconds=%.1f\n",
              used > 0 ? static_cast<double>(sum.events) / used : 0.0, used);
}

void print_sum(const Sum& sum) {
  std::uint64_t all = 0;
  for (const auto& [seed, digest] : sum.digests) all = all * 0x100000001b3ULL ^ digest;
  std::printf("DIGEST=%016llx seeds=%zu acknowledged=%llu events=%llu failed=%llu\n",
              static_cast<unsigned long long>(all), sum.digests.size(),
              static_cast<unsigned long long>(sum.acknowledged), static_cast<unsigned long long>(sum.events),
              static_cast<unsigned long long>(sum.failed));
}

int exit_code(Fate worst) {
  switch (worst) {
    case Fate::held:
      return 0;
    case Fate::differs:
    case Fate::idle:
      return 1;
    case Fate::crash:
      return 127;
    case Fate::liveness:
      return 128;
    case Fate::safety:
      return 129;
  }
  return 129;
}

}  // namespace

int main(int count, char** words) {
  Wanted wanted;
  if (!parse(count, words, wanted)) {
    usage();
    return 2;
  }
  if (wanted.jobs == 0) wanted.jobs = std::max(1U, std::thread::hardware_concurrency());
  tailwater::set_check_hook([](const char* condition, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, condition);
  });
  const bool shows_progress = ::isatty(STDERR_FILENO) == 1 && wanted.quiet;
  Sum sum;
  tailwater::simulate::work({.from = wanted.from,
                             .seeds = wanted.seeds,
                             .processes = static_cast<unsigned>(wanted.jobs),
                             .run = [&](std::uint64_t seed) { return run(wanted, seed); },
                             .done =
                                 [&](const Report& report) {
                                   sum.add(report);
                                   std::fputs(report.text.c_str(), stdout);
                                   if (report.fate != Fate::held) std::fflush(stdout);
                                   if (shows_progress)
                                     std::fprintf(stderr, "\r%zu of %llu seeds ", sum.digests.size(),
                                                  static_cast<unsigned long long>(wanted.seeds));
                                   return !wanted.first || report.fate == Fate::held;
                                 }});
  if (shows_progress) std::fprintf(stderr, "\n");
  const bool every_fault = print_faults(sum);
  print_speed(sum);
  print_sum(sum);
  if (!every_fault && sum.digests.size() >= kSeedsForEveryFault) {
    std::fprintf(stderr, "simulate: a kind of fault never fired\n");
    return std::max(1, exit_code(sum.worst));
  }
  return exit_code(sum.worst);
}
