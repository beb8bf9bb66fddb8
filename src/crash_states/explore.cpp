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
  constexpr std::string_view kOthers[] = {"second_crash", "second_life", "death", "without_dir"};
  return kOthers[kind - disk_model::kChoiceKinds];
}

namespace {

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
    // The first ones are "all", "none" and those of each directory alone; of many others some.
    const auto first =
        static_cast<std::size_t>(std::ranges::find_if_not(all, is_always_tried, &Choice::kind) - all.begin());
    for (std::size_t index = all.size(); index > first + 1; --index)
      std::swap(all[index - 1], all[first + random_.below(index - first)]);
    if (all.size() > limits_.states_per_point) all.resize(limits_.states_per_point);
    for (const Choice& choice : all) {
      if (finished()) return;
      auto state = settled(*lost, choice);
      if (!is_new(*state, life.ledger())) continue;
      begin_state(static_cast<std::size_t>(choice.kind), life.points(), lost->unsettled().size());
      count(life.ledger());
      recover(std::move(state), life.ledger(), life.now());
    }
    if (tally.points % limits_.death_every == 0 && !finished()) die(life);
  }

  Tally tally;

 private:
  static bool is_always_tried(disk_model::ChoiceKind kind) {
    return kind == disk_model::ChoiceKind::all || kind == disk_model::ChoiceKind::none ||
           kind == disk_model::ChoiceKind::one_dir;
  }
  static std::unique_ptr<Disk> settled(const Disk& lost, const Choice& choice) {
    auto disk = std::make_unique<Disk>(lost);
    disk->settle(choice.kept);
    return disk;
  }

  bool is_new(const Disk& disk, const Ledger& ledger) {
    std::uint64_t key = digest_of(disk);
    for (const auto& [id, story] : ledger)
      key = key * 1099511628211U ^ (id.value * 31 + (story.promised() + story.gone().size()) * 7 +
                                    (story.removed() ? 1 : 0) + (story.removal_promised() ? 2 : 0));
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

  void count(const Ledger& ledger) {
    const auto any = [&](auto what) {
      return std::ranges::any_of(ledger, [&](const auto& entry) { return what(entry.second); });
    };
    if (any([](const Story& story) { return !story.gone().empty(); })) ++tally.compacted;
    if (any([](const Story& story) { return story.removal_promised(); })) ++tally.removed;
    if (any([](const Story& story) { return story.acknowledged() > story.promised(); })) ++tally.behind;
  }

  void note(const Life& life) {
    for (const std::string& finding : life.findings()) ++tally.findings[finding];
    if (!life.failed() || !tally.failure.empty()) return;
    tally.failure = life.failure();
    tally.failed_state = what_;
  }

  // A machine that was started again runs another kernel.
  Setup next_boot() {
    Setup setup = setup_;
    setup.storage.boot_id = {2, ++boots_};
    return setup;
  }

  void recover(std::unique_ptr<Disk> disk, const Ledger& ledger, Now now) {
    const bool twice = limits_.second_crash_every > 0 && tally.states % limits_.second_crash_every == 0;
    const bool without = setup_.storage.dirs.size() > 1 && tally.states % limits_.without_dir_every == 0;
    const std::unique_ptr<Disk> copy = twice || without ? std::make_unique<Disk>(*disk) : nullptr;
    Life life(next_boot(), std::move(disk), ledger, now, next_seed());
    life.start();
    life.judge(End::power_lost);
    life.prove_use();
    if (twice) life.prove_tidy();
    note(life);
    if (twice && !finished()) {
      crash_recovery(*copy, ledger, now);
      crash_again(life);
    }
    if (without && !finished()) recover_without_dir(*copy, ledger, now);
  }

  // The others go on without it; when it is back, so is all that it had.
  void recover_without_dir(const Disk& disk, const Ledger& ledger, Now now) {
    const Setup setup = next_boot();
    Life life(setup, std::make_unique<Disk>(disk), ledger, now, next_seed());
    begin_state(static_cast<std::size_t>(Kind::without_dir), life.points(), 0);
    const auto& dirs = setup.storage.dirs;
    life.break_dir(dirs[random_.below(dirs.size())], Break::for_good);
    life.start();
    life.judge(End::power_lost);
    life.prove_use();
    note(life);
    Life second(setup, life.port().kill(random_), life.ledger(), life.now(), next_seed());
    second.start();
    second.judge(End::power_lost);
    second.prove_use();
    note(second);
  }

  // Then what is found is as good as promised: the power goes behind that.
  void die(Life& dying) {
    begin_state(static_cast<std::size_t>(Kind::death), dying.points(), 0);
    Life life(setup_, dying.port().kill(random_), dying.ledger(), dying.now(), next_seed());
    life.start();
    life.judge(End::process_died);
    if (random_.one_in(2)) life.prove_use();
    note(life);
    if (!finished()) crash_again(life);
  }

  // The same recovery once more; the power goes at each point of it.
  void crash_recovery(const Disk& disk, const Ledger& ledger, Now now) {
    Life life(next_boot(), std::make_unique<Disk>(disk), ledger, now, next_seed());
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
        Life second(next_boot(), std::move(state), ledger, now, next_seed());
        second.start();
        second.judge(End::power_lost);
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
    Life second(next_boot(), std::make_unique<Disk>(*lost), life.ledger(), life.now(), next_seed());
    second.start();
    second.judge(End::power_lost);
    note(second);
  }

  std::uint64_t next_seed() { return setup_.storage.seed + 500 + ++lives_; }

  const Explorer& explorer_;
  const Limits limits_;
  const Setup setup_;
  Prng random_;
  std::set<std::uint64_t> seen_;
  std::uint64_t lives_ = 0;
  std::uint64_t boots_ = 0;
  std::string what_;
};

Tally Explorer::explore(const std::function<void(Course&)>& go, std::size_t from) {
  // How many points there are, first.
  std::uint64_t points = 0;
  std::string failure;
  {
    Course course(workload_, mode_, lie_, seed_);
    course.at_point = [&](Life&) { points += course.acts_begun() >= from ? 1 : 0; };
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
  // Evenly over the course, to its end: where there have been few states for so much of it.
  const std::uint64_t first = limits_.states < points ? Prng(seed_).below(points / limits_.states + 1) : 0;
  std::uint64_t at = 0;
  course.at_point = [&](Life& life) {
    if (course.acts_begun() < from) return;
    const std::uint64_t here = at++;
    const bool due = here >= first && crashes.tally.states * points <= limits_.states * (here - first);
    if ((limits_.states == UINT64_MAX || due) && !crashes.finished()) crashes.at(life);
  };
  go(course);
  return crashes.tally;
}

Tally Explorer::run() {
  return explore([](Course& course) { course.run(); }, 0);
}

Tally Explorer::run(std::span<const Act> script, std::size_t from) {
  return explore([&](Course& course) { course.run(script); }, from);
}

}  // namespace tailwater::crash_states
