// Brings the faults about: one at random times, of the kinds that the seed allows, until it is told to let
// everything heal. It also does what an operator does: a broker that died, or cannot serve because its disk
// failed, is started again.
//
// THE BUDGET: what is acknowledged survives any number of crashes, and any disk error that is told. One copy
// of the data cannot survive a disk that lies, but whoever has it can say so: damage.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/broker.hpp"
#include "sim/client.hpp"
#include "sim/damage.hpp"
#include "sim/ledger.hpp"
#include "sim/options.hpp"

namespace tailwater::sim {

class Nemesis {
 public:
  Nemesis(Agenda& agenda, Disk& disk, Broker& broker, Ledger& ledger, FaultCounts& counts,
          const Options& options)
      : agenda_(agenda),
        disk_(disk),
        broker_(broker),
        ledger_(ledger),
        counts_(counts),
        options_(options),
        damage_(disk, ledger, agenda.random()) {}

  // Clients that may vanish.
  void add_victim(Client& client) { victims_.push_back(&client); }
  // Records that may be damaged, by this kind of fault.
  void add_victim(const std::string& folder, TrackNumber track, Fault fault) {
    damage_.allow(folder, track, fault);
  }
  void start();
  // Ends all faults; the broker is brought back.
  void heal();
  // Since when nothing has kept the broker from its work; Instant::max(), or later than now: something does.
  Instant calm_since() const {
    // A directory is away, perhaps with the coordinator; the operator is on the way.
    if (!broker_.failure().empty()) return Instant::max();
    return std::max(broker_.serving_since(), trouble_until_);
  }

 private:
  void plan();
  void strike();
  void bring_about(Fault fault);
  void die(Fault fault);
  void lurk(Fault fault);
  void pounce();
  void start_broker();
  void watch_broker();
  bool mend();
  void during(Duration most, std::move_only_function<void()> end);
  void trouble(Duration most) { trouble_until_ = std::max(trouble_until_, agenda_.now() + most); }
  Duration up_to(Duration most);
  // A time in which nothing can happen; it leaves a calm as long as itself behind it.
  Instant standstill(Duration most);

  Agenda& agenda_;
  Disk& disk_;
  Broker& broker_;
  Ledger& ledger_;
  FaultCounts& counts_;
  const Options& options_;
  Damage damage_;
  std::vector<Client*> victims_;
  bool healing_ = false;
  Instant calm_until_;
  Instant trouble_until_;
  std::optional<Fault> lurking_;  // a death that waits for a bad moment
};

}  // namespace tailwater::sim
