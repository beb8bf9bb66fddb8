// simulate: runs seeds, each twice on demand, and says what happened. Exit codes: 0 all held, 1 a seed failed
// or two runs of one seed differed, 2 usage.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sim/run.hpp"

namespace {

struct Wanted {
  std::uint64_t from = 1;
  std::uint64_t seeds = 100;
  bool twice = false;
  bool quiet = false;
  bool verbose = false;
};

void usage() {
  std::puts(
      "simulate: one broker and model clients in one thread, from one seed\n"
      "  --from N    first seed (1)\n"
      "  --seeds N   how many (100)\n"
      "  --twice     run each seed twice and compare the digests\n"
      "  --verbose   what happened when\n"
      "  --quiet     only the digest of all seeds");
}

bool parse(int count, char** words, Wanted& wanted) {
  for (int at = 1; at < count; ++at) {
    const std::string word = words[at];
    if (word == "--twice") {
      wanted.twice = true;
    } else if (word == "--verbose") {
      wanted.verbose = true;
    } else if (word == "--quiet") {
      wanted.quiet = true;
    } else if ((word == "--from" || word == "--seeds") && at + 1 < count) {
      char* end = nullptr;
      const std::uint64_t number = std::strtoull(words[++at], &end, 10);
      if (*end != '\0') return false;
      (word == "--from" ? wanted.from : wanted.seeds) = number;
    } else {
      return false;
    }
  }
  return true;
}

void print(const tailwater::sim::Outcome& outcome) {
  std::printf(
      "SEED=%llu DIGEST=%016llx UNSEED=%016llx events=%llu acknowledged=%llu read=%llu faults=%llu "
      "ms=%lld%s%s\n",
      static_cast<unsigned long long>(outcome.seed), static_cast<unsigned long long>(outcome.digest),
      static_cast<unsigned long long>(outcome.unseed), static_cast<unsigned long long>(outcome.events),
      static_cast<unsigned long long>(outcome.acknowledged), static_cast<unsigned long long>(outcome.read),
      static_cast<unsigned long long>(outcome.faults.total()), static_cast<long long>(outcome.simulated_ms),
      outcome.failure.empty() ? "" : " FAILED: ", outcome.failure.c_str());
  if (!outcome.failure.empty()) std::printf("  %s\n", outcome.options.c_str());
}

}  // namespace

int main(int count, char** words) {
  Wanted wanted;
  if (!parse(count, words, wanted)) {
    usage();
    return 2;
  }
  std::uint64_t all = 0;
  std::uint64_t failed = 0;
  std::uint64_t acknowledged = 0;
  for (std::uint64_t seed = wanted.from; seed < wanted.from + wanted.seeds; ++seed) {
    const tailwater::sim::Outcome outcome =
        tailwater::sim::run(seed, wanted.verbose ? tailwater::sim::Notes::kept : tailwater::sim::Notes::none);
    std::fputs(outcome.notes.c_str(), stdout);
    bool held = outcome.failure.empty();
    if (wanted.twice) {
      const tailwater::sim::Outcome again = tailwater::sim::run(seed);
      if (again.digest != outcome.digest || again.unseed != outcome.unseed) {
        std::printf("SEED=%llu gave another digest the second time\n", static_cast<unsigned long long>(seed));
        held = false;
      }
    }
    if (!held) ++failed;
    if (!wanted.quiet || !held) print(outcome);
    acknowledged += outcome.acknowledged;
    all = all * 0x100000001b3ULL ^ outcome.digest;
  }
  std::printf("DIGEST=%016llx seeds=%llu acknowledged=%llu failed=%llu\n",
              static_cast<unsigned long long>(all), static_cast<unsigned long long>(wanted.seeds),
              static_cast<unsigned long long>(acknowledged), static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
