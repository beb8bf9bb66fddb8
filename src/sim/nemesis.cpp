#include "sim/nemesis.hpp"

#include <algorithm>
#include <utility>

namespace tailwater::sim {

namespace {

constexpr Duration kDownMax = Duration::from_ms(2'000);
constexpr Duration kRecoveryMax = Duration::from_ms(12);
constexpr Duration kLurkMax = Duration::from_ms(5'000);
constexpr Duration kMomentMax = Duration::from_us(100);
constexpr Duration kPauseMax = Duration::from_ms(12'000);
constexpr Duration kSlowMax = Duration::from_ms(4'000);
constexpr Duration kFullMax = Duration::from_ms(6'000);
constexpr Duration kCutMax = Duration::from_ms(8'000);
constexpr std::uint64_t kShardsMax = 4;
constexpr Duration kWatch = Duration::from_ms(500);
// No further than this from the true time: records keep within their topics' limits.
constexpr std::int64_t kClockErrorMsMax = 6 * 3'600'000;

// Kinds that are one to the nemesis, named by one of them.
Fault family_of(Fault fault) {
  switch (fault) {
    case Fault::open_error:
    case Fault::load_error:
    case Fault::list_error:
      return Fault::read_error;
    case Fault::misdirected_frame:
    case Fault::misdirected_records:
      return Fault::misdirected_superblock;
    default:
      return fault;
  }
}

}  // namespace

Duration Nemesis::up_to(Duration most) {
  return Duration{
      static_cast<std::int64_t>(agenda_.random().below(static_cast<std::uint64_t>(most.nanoseconds) + 1))};
}

Instant Nemesis::standstill(Duration most) {
  const Duration length = up_to(most);
  calm_until_ = std::max(calm_until_, agenda_.now() + length + length);
  return agenda_.now() + length;
}

void Nemesis::start() {
  plan();
  watch_broker();
}

void Nemesis::plan() {
  agenda_.after(up_to(options_.fault_interval + options_.fault_interval), [this] {
    if (healing_) return;
    strike();
    plan();
  });
}

void Nemesis::strike() {
  std::vector<Fault> possible;
  for (std::size_t index = 0; index < kFaults; ++index) {
    const auto fault = static_cast<Fault>(index);
    const bool consequence = fault == Fault::lost_sectors || fault == Fault::lost_sizes ||
                             fault == Fault::lost_names || fault == Fault::torn_write ||
                             fault == Fault::reordered_write || fault == Fault::late_write ||
                             fault == Fault::crash_in_recovery || fault == Fault::other_shards ||
                             fault == Fault::half_open_broker || fault == Fault::damage_told ||
                             fault == Fault::late_request || fault == Fault::rival;
    // One standstill after the other would leave nothing to judge.
    const bool too_soon =
        agenda_.now() < calm_until_ && (fault == Fault::pause || fault == Fault::network_cut);
    if (!consequence && !too_soon && options_.has(fault)) possible.push_back(fault);
  }
  if (possible.empty()) return;
  // First one of the families, so that those with many kinds do not crowd out the others.
  std::vector<Fault> families;
  for (const Fault fault : possible) {
    if (std::ranges::find(families, family_of(fault)) == families.end()) families.push_back(family_of(fault));
  }
  const Fault family = families[agenda_.random().below(families.size())];
  std::erase_if(possible, [family](Fault fault) { return family_of(fault) != family; });
  bring_about(possible[agenda_.random().below(possible.size())]);
}

void Nemesis::during(Duration most, std::move_only_function<void()> end) {
  agenda_.after(up_to(most), std::move(end));
}

void Nemesis::bring_about(Fault fault) {
  agenda_.note(kFaultNames[static_cast<std::size_t>(fault)]);
  Prng& random = agenda_.random();
  Network& network = broker_.network();
  switch (fault) {
    case Fault::clean_restart:
      if (!broker_.accepting()) return;
      counts_.add(fault);
      broker_.stop([this](bool whole) {
        // A directory that failed on the way was left as it was, by nobody synced.
        if (whole) {
          ledger_.all_synced();
        } else {
          ledger_.died();
        }
        start_broker();
      });
      return;
    case Fault::kill:
    case Fault::power_loss:
      if (!broker_.running()) return;
      return random.one_in(2) ? die(fault) : lurk(fault);
    case Fault::pause:
      counts_.add(fault);
      trouble(kPauseMax);
      return broker_.pause_until(standstill(kPauseMax));
    case Fault::write_error:
    case Fault::sync_error:
    case Fault::structure_error:
    case Fault::read_error:
    case Fault::open_error:
    case Fault::load_error:
    case Fault::list_error:
      return disk_.arm(fault);
    case Fault::no_room:
      counts_.add(fault);
      disk_.set_no_room(true);
      trouble(kFullMax);
      return during(kFullMax, [this] { disk_.set_no_room(false); });
    case Fault::slow_disk:
      counts_.add(fault);
      disk_.set_slow(1 + random.below(500));
      trouble(kSlowMax);
      return during(kSlowMax, [this] { disk_.set_slow(1); });
    case Fault::connection_reset: {
      const std::vector<std::uint64_t> open = network.connections();
      if (open.empty()) return;
      counts_.add(fault);
      return network.reset(open[random.below(open.size())]);
    }
    case Fault::network_cut: {
      counts_.add(fault);
      trouble(kCutMax);
      const Instant to_broker = random.one_in(3) ? Instant{} : standstill(kCutMax);
      const Instant to_clients = random.one_in(3) ? Instant{} : standstill(kCutMax);
      return network.cut_until(to_broker, to_clients);
    }
    case Fault::half_open_client: {
      Client& victim = *victims_[random.below(victims_.size())];
      if (!victim.connected()) return;
      counts_.add(fault);
      return victim.vanish();
    }
    case Fault::slow_network:
      counts_.add(fault);
      network.set_delay_max(Duration::from_ms(static_cast<std::int64_t>(1 + random.below(100))));
      trouble(kSlowMax);
      return during(kSlowMax, [this] { broker_.network().set_delay_max(options_.network_delay_max); });
    case Fault::clock_jump: {
      counts_.add(fault);
      trouble(Duration{});
      const auto range = static_cast<std::uint64_t>(2 * kClockErrorMsMax + 1);
      return agenda_.set_clock_error_ms(static_cast<std::int64_t>(random.below(range)) - kClockErrorMsMax);
    }
    case Fault::rot_journal:
    case Fault::rot_superblock:
    case Fault::rot_manifest:
    case Fault::rot_records:
    case Fault::rot_transactional:
    case Fault::rot_compacted:
    case Fault::rot_index:
    case Fault::rot_coordinator:
    case Fault::misdirected_superblock:
    case Fault::misdirected_frame:
    case Fault::misdirected_records:
      if (damage_.strike(fault)) counts_.add(fault);
      return;
    default:
      return;
  }
}

void Nemesis::die(Fault fault) {
  counts_.add(fault);
  agenda_.note(fault == Fault::kill ? "the process is killed" : "the power is gone");
  if (broker_.starting()) counts_.add(Fault::crash_in_recovery);
  if (fault == Fault::power_loss && !broker_.network().connections().empty())
    counts_.add(Fault::half_open_broker);
  broker_.die(fault == Fault::kill ? Death::process : Death::machine);
  ledger_.died();
  if (fault == Fault::power_loss) ledger_.power_lost();
  broker_.pause_until(Instant{});
  disk_.disarm_writes();
  during(kDownMax, [this] { start_broker(); });
}

// A frame of a journal is ahead of an older one for a fraction of a millisecond, which a death at any time
// hardly ever meets.
void Nemesis::lurk(Fault fault) {
  lurking_ = fault;
  disk_.at_overtaking([this] { agenda_.after(up_to(kMomentMax), [this] { pounce(); }); });
  agenda_.after(kLurkMax, [this] { pounce(); });
}

void Nemesis::pounce() {
  if (!lurking_) return;
  disk_.at_overtaking(nullptr);
  const Fault fault = *std::exchange(lurking_, std::nullopt);
  if (!healing_ && broker_.running()) die(fault);
}

void Nemesis::start_broker() {
  if (broker_.running()) return;
  if (!healing_ && options_.has(Fault::other_shards) && agenda_.random().one_in(3)) {
    counts_.add(Fault::other_shards);
    broker_.set_shards(static_cast<std::uint32_t>(1 + agenda_.random().below(kShardsMax)));
  }
  broker_.start();
  const bool again = !healing_ && options_.has(Fault::crash_in_recovery) && agenda_.random().one_in(2);
  if (!again) return;
  during(kRecoveryMax, [this] {
    if (healing_ || !broker_.starting()) return;
    die(agenda_.random().one_in(2) ? Fault::kill : Fault::power_loss);
  });
}

// The operator: what cannot serve is restarted. It has a reason only if the disk failed, or is damaged and
// the broker says where.
void Nemesis::watch_broker() {
  agenda_.after(kWatch, [this] {
    watch_broker();
    if (!broker_.running()) return;
    const std::string failure = broker_.failure();
    const bool mended = mend();
    if (failure.empty() && !mended) return;
    // A start may need room.
    const bool full = disk_.has_run_out() && broker_.starting();
    if (!disk_.has_failed() && !full && !mended)
      return ledger_.fail("S7: the broker gives up on a good disk: " + failure);
    agenda_.note("the broker gives up and is killed: " + failure);
    broker_.die(Death::process);
    ledger_.died();
    during(kDownMax, [this] { start_broker(); });
  });
}

// True if the broker could not go on for what was damaged, and said what that is.
bool Nemesis::mend() {
  const std::vector<std::string> said = broker_.complaints();
  const std::string failure = broker_.failure();
  const bool unable = !failure.empty() || std::ranges::any_of(said, [](const auto& text) {
    return text.starts_with("cannot load");
  });
  const auto path = unable ? damage_.mend_what_is_named(said, failure) : std::nullopt;
  if (!path) return false;
  agenda_.note("what is damaged is mended: " + *path);
  counts_.add(Fault::damage_told);
  return true;
}

void Nemesis::heal() {
  healing_ = true;
  agenda_.note("everything heals");
  disk_.disarm();
  disk_.set_no_room(false);
  disk_.set_slow(1);
  broker_.pause_until(Instant{});
  broker_.network().cut_until(Instant{}, Instant{});
  broker_.network().set_delay_max(options_.network_delay_max);
  if (!damage_.stands()) return;
  damage_.mend();
  // It may have read what was damaged, and not have said so yet.
  if (!broker_.running()) return;
  broker_.die(Death::process);
  ledger_.died();
  start_broker();
}

}  // namespace tailwater::sim
