#include "crash_states/explore.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/crc32c.hpp"

namespace tailwater::crash_states {

using disk_model::Choice;
using disk_model::Disk;

std::string_view name_of(std::size_t kind) {
  if (kind < disk_model::kChoiceKinds) return disk_model::kChoiceNames[kind];
  return kind == static_cast<std::size_t>(Kind::second_crash) ? "second_crash" : "second_life";
}

namespace {

constexpr auto kPointsMax = std::uint64_t{1} << 40;

// Of what is on the disk.
std::uint64_t digest_of(const Disk& disk) {
  std::uint64_t digest = 14695981039346656037U;
  const auto add = [&](Bytes bytes) { digest = (digest ^ crc32c(bytes)) * 1099511628211U ^ bytes.size(); };
  for (const auto& [path, file] : disk.files()) {
    add(as_bytes(path));
    add(file->content());
  }
  return digest;
}

}  // namespace

// The crashes of one course.
class Explorer::Crashes {
 public:
  Crashes(const Explorer& explorer, const Setup& setup)
      : explorer_(explorer), limits_(explorer.limits_), setup_(setup), random_(explorer.seed_ ^ 0x5ca1ab1e) {}

  bool finished() const { return !tally.failure.empty() || tally.states >= limits_.states; }

  // The power goes here.
  void at(Life& life) {
    ++tally.points;
    const std::unique_ptr<Disk> lost = life.port().lose_power(random_);
    std::vector<Choice> all = disk_model::choices(lost->unsettled(), random_);
    // The first two are "all" and "none"; of many others some.
    for (std::size_t index = all.size(); index > 3; --index)
      std::swap(all[index - 1], all[2 + random_.below(index - 2)]);
    if (all.size() > limits_.states_per_point) all.resize(limits_.states_per_point);
    for (const Choice& choice : all) {
      if (finished()) return;
      auto state = settled(*lost, choice);
      if (!is_new(*state, life.ledger())) continue;
      begin_state(static_cast<std::size_t>(choice.kind), life.points(), lost->unsettled().size());
      recover(std::move(state), life.ledger(), life.now());
    }
  }

  Tally tally;

 private:
  static std::unique_ptr<Disk> settled(const Disk& lost, const Choice& choice) {
    auto disk = std::make_unique<Disk>(lost);
    disk->settle(choice.kept);
    return disk;
  }

  bool is_new(const Disk& disk, const Ledger& ledger) {
    std::uint64_t key = digest_of(disk);
    for (const auto& [id, story] : ledger)
      key = key * 1099511628211U ^ (id.value * 31 + story.promised() * 7 + (story.removed() ? 1 : 0));
    const bool fresh = seen_.insert(key).second;
    tally.repeated += fresh ? 0 : 1;
    return fresh;
  }

  void begin_state(std::size_t kind, std::uint64_t point, std::size_t unsettled) {
    ++tally.kinds[kind];
    what_ = std::string(explorer_.workload_.name) + ", " +
            std::string(kModeNames[static_cast<std::size_t>(explorer_.mode_)]) + ", seed " +
            std::to_string(explorer_.seed_) + ", state " + std::to_string(tally.states) + ", point " +
            std::to_string(point) + ": " + std::string(name_of(kind)) + " of " + std::to_string(unsettled);
    if (explorer_.on_state) explorer_.on_state(tally.states, what_);
    ++tally.states;
  }

  void note(const Life& life) {
    for (const std::string& finding : life.findings()) ++tally.findings[finding];
    if (!life.failed() || !tally.failure.empty()) return;
    tally.failure = life.failure();
    tally.failed_state = what_;
  }

  void recover(std::unique_ptr<Disk> disk, const Ledger& ledger, Now now) {
    const bool twice = limits_.second_crash_every > 0 && tally.states % limits_.second_crash_every == 0;
    const std::unique_ptr<Disk> copy = twice ? std::make_unique<Disk>(*disk) : nullptr;
    Life life(setup_, std::move(disk), ledger, now, next_seed());
    life.start();
    life.judge();
    life.prove_use();
    note(life);
    if (!twice || finished()) return;
    crash_recovery(*copy, ledger, now);
    crash_again(life);
  }

  // The same recovery once more; the power goes at each point of it.
  void crash_recovery(const Disk& disk, const Ledger& ledger, Now now) {
    Life life(setup_, std::make_unique<Disk>(disk), ledger, now, next_seed());
    life.at_point = [&] {
      if (finished()) return;
      const std::unique_ptr<Disk> lost = life.port().lose_power(random_);
      const std::vector<Choice> all = disk_model::choices(lost->unsettled(), random_);
      // Everything, nothing and something.
      const std::size_t third = random_.below(all.size());
      for (const std::size_t index : {std::size_t{0}, std::min<std::size_t>(1, all.size() - 1), third}) {
        auto state = settled(*lost, all[index]);
        if (finished() || !is_new(*state, ledger)) continue;
        begin_state(static_cast<std::size_t>(Kind::second_crash), life.points(), lost->unsettled().size());
        Life second(setup_, std::move(state), ledger, now, next_seed());
        second.start();
        second.judge();
        second.prove_use();
        note(second);
      }
    };
    life.start();
  }

  // Everything that was promised since the recovery holds as well.
  void crash_again(Life& life) {
    const std::unique_ptr<Disk> lost = life.port().lose_power(random_);
    lost->settle(std::vector<bool>(lost->unsettled().size(), false));
    begin_state(static_cast<std::size_t>(Kind::second_life), life.points(), 0);
    Life second(setup_, std::make_unique<Disk>(*lost), life.ledger(), life.now(), next_seed());
    second.start();
    second.judge();
    note(second);
  }

  std::uint64_t next_seed() { return setup_.storage.seed + 500 + ++lives_; }

  const Explorer& explorer_;
  const Limits limits_;
  const Setup setup_;
  Prng random_;
  std::set<std::uint64_t> seen_;
  std::uint64_t lives_ = 0;
  std::string what_;
};

Tally Explorer::explore(const std::function<void(Course&)>& go) {
  // How many points there are, first.
  std::uint64_t points = 0;
  std::string failure;
  {
    Course course(workload_, mode_, lie_, seed_);
    course.at_point = [&](Life&) { ++points; };
    go(course);
    failure = course.failure();
  }
  Course course(workload_, mode_, lie_, seed_);
  Crashes crashes(*this, course.setup());
  if (!failure.empty()) {
    crashes.tally.failure = failure;
    crashes.tally.failed_state =
        std::string(workload_.name) + ", seed " + std::to_string(seed_) + ", without a crash";
    return crashes.tally;
  }
  // As many points as are needed, and some to spare, evenly among all of them.
  const std::uint64_t per_point =
      std::max<std::uint64_t>(1, std::min<std::uint64_t>(limits_.states_per_point, 8) / 2);
  const std::uint64_t wanted = limits_.states == UINT64_MAX ? kPointsMax : limits_.states / per_point + 1;
  const std::uint64_t stride = std::max<std::uint64_t>(1, points / wanted);
  const std::uint64_t first = Prng(seed_).below(stride);
  std::uint64_t at = 0;
  course.at_point = [&](Life& life) {
    if (at++ % stride == first && !crashes.finished()) crashes.at(life);
  };
  go(course);
  return crashes.tally;
}

Tally Explorer::run() {
  return explore([](Course& course) { course.run(); });
}

Tally Explorer::run(std::span<const Act> script) {
  return explore([&](Course& course) { course.run(script); });
}

}  // namespace tailwater::crash_states
