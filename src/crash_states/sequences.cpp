#include "crash_states/sequences.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace tailwater::crash_states {

namespace {

constexpr Act kSomething[] = {Act::burst, Act::transaction, Act::settle};
constexpr Act kSomeKeys[] = {Act::burst, Act::burst, Act::settle};

constexpr SequenceSetting kSettings[] = {
    {{.name = "fresh", .logs = 2, .value_max = 3'000, .segment_bytes = 8'000, .flush_run_bytes = 8 << 10},
     {}},
    {{.name = "used", .logs = 2, .value_max = 3'000, .segment_bytes = 8'000, .flush_run_bytes = 8 << 10},
     kSomething},
    {{.name = "used_os",
      .logs = 2,
      .value_max = 3'000,
      .segment_bytes = 8'000,
      .flush_run_bytes = 8 << 10,
      .os_percent = 100},
     kSomething},
    {{.name = "used_compacted",
      .logs = 2,
      .value_max = 150,
      .segment_bytes = 1'000,
      .flush_run_bytes = 4'096,
      .flush_round_bytes = 4'096,
      .keys = 3},
     kSomeKeys},
};

}  // namespace

std::span<const SequenceSetting> sequence_settings() {
  return kSettings;
}

std::uint64_t sequences_up_to(std::size_t length) {
  CHECK(length <= kSequenceActsMax);
  std::uint64_t count = 1;
  for (std::size_t each = 0; each < length; ++each) count = count * kActs + 1;
  return count;
}

std::vector<Act> sequence(std::uint64_t number) {
  std::vector<Act> acts;
  // As whole numbers are written, but with digits from 1 to kActs: so no two sequences have the same number.
  for (; number > 0; number = (number - 1) / kActs) acts.push_back(static_cast<Act>((number - 1) % kActs));
  std::ranges::reverse(acts);
  return acts;
}

Script script_of(const SequenceSetting& setting, const std::vector<Act>& acts, bool longest) {
  // Without acts it is what comes before them that is gone through.
  Script script{.acts = {setting.before.begin(), setting.before.end()},
                .from = acts.empty() ? 0 : setting.before.size() + acts.size()};
  script.acts.insert(script.acts.end(), acts.begin(), acts.end());
  if (longest) script.acts.push_back(Act::settle);
  return script;
}

}  // namespace tailwater::crash_states
