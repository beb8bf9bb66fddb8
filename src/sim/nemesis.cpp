#include "sim/nemesis.hpp"

#include <algorithm>
#include <utility>

namespace tailwater::sim {

namespace {

constexpr Duration kDownMax = Duration::from_ms(2'000);
constexpr Duration kRecoveryMax = Duration::from_ms(12);
constexpr Duration kPauseMax = Duration::from_ms(12'000);
constexpr Duration kSlowMax = Duration::from_ms(4'000);
constexpr Duration kFullMax = Duration::from_ms(6'000);
constexpr Duration kCutMax = Duration::from_ms(8'000);
constexpr std::uint64_t kShardsMax = 4;
constexpr Duration kWatch = Duration::from_ms(500);
// No further than this from the true time: records keep within their topics' limits.
constexpr std::int64_t kClockErrorMsMax = 6 * 3'600'000;

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
                             fault == Fault::lost_names || fault == Fault::late_write ||
                             fault == Fault::crash_in_recovery || fault == Fault::other_shards ||
                             fault == Fault::half_open_broker;
    // One standstill after the other would leave nothing to judge.
    const bool too_soon =
        agenda_.now() < calm_until_ && (fault == Fault::pause || fault == Fault::network_cut);
    if (!consequence && !too_soon && options_.has(fault)) possible.push_back(fault);
  }
  if (!possible.empty()) bring_about(possible[agenda_.random().below(possible.size())]);
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
      broker_.stop([this] { start_broker(); });
      return;
    case Fault::kill:
    case Fault::power_loss:
      if (broker_.running()) die(fault);
      return;
    case Fault::pause:
      counts_.add(fault);
      return broker_.pause_until(standstill(kPauseMax));
    case Fault::write_error:
    case Fault::sync_error:
    case Fault::structure_error:
      return disk_.arm(fault);
    case Fault::no_room:
      counts_.add(fault);
      disk_.set_no_room(true);
      return during(kFullMax, [this] { disk_.set_no_room(false); });
    case Fault::slow_disk:
      counts_.add(fault);
      disk_.set_slow(1 + random.below(500));
      return during(kSlowMax, [this] { disk_.set_slow(1); });
    case Fault::connection_reset: {
      const std::vector<std::uint64_t> open = network.connections();
      if (open.empty()) return;
      counts_.add(fault);
      return network.reset(open[random.below(open.size())]);
    }
    case Fault::network_cut: {
      counts_.add(fault);
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
      return during(kSlowMax, [this] { broker_.network().set_delay_max(options_.network_delay_max); });
    case Fault::clock_jump: {
      counts_.add(fault);
      const auto range = static_cast<std::uint64_t>(2 * kClockErrorMsMax + 1);
      return agenda_.set_clock_error_ms(static_cast<std::int64_t>(random.below(range)) - kClockErrorMsMax);
    }
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
  broker_.pause_until(Instant{});
  disk_.disarm();
  during(kDownMax, [this] { start_broker(); });
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

// The operator: what cannot serve is restarted. It has a reason only if the disk failed.
void Nemesis::watch_broker() {
  agenda_.after(kWatch, [this] {
    watch_broker();
    if (!broker_.running()) return;
    const std::string failure = broker_.failure();
    if (failure.empty()) return;
    // A start may need room.
    const bool full = disk_.has_run_out() && broker_.starting();
    if (!disk_.has_failed() && !full)
      return ledger_.fail("S7: the broker gives up on a good disk: " + failure);
    agenda_.note("the broker gives up and is killed: " + failure);
    broker_.die(Death::process);
    during(kDownMax, [this] { start_broker(); });
  });
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
}

}  // namespace tailwater::sim
