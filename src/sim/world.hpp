// Everything that a seed puts together: the machine with its broker, the clients, the ledger that judges
// them, and the nemesis; and the course of a simulation.
//   setup    topics and coordinators are made, without faults
//   unrest   clients work, the nemesis strikes
//   healing  no more faults; every producer brings its batches to an end, every group is stable and has read
//            everything
//   looking  everything is read from the beginning once more, and compared with what was promised
//   leaving  all clients go; the broker holds nothing for them any more
// The last three take 60 s together.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/agenda.hpp"
#include "sim/broker.hpp"
#include "sim/committed_reader.hpp"
#include "sim/consumer.hpp"
#include "sim/digest.hpp"
#include "sim/disk.hpp"
#include "sim/group_watch.hpp"
#include "sim/haunter.hpp"
#include "sim/keeper.hpp"
#include "sim/ledger.hpp"
#include "sim/member.hpp"
#include "sim/nemesis.hpp"
#include "sim/options.hpp"
#include "sim/producer.hpp"
#include "sim/recreator.hpp"
#include "sim/run.hpp"
#include "sim/stable_watch.hpp"
#include "sim/transactor.hpp"
#include "sim/trimmer.hpp"
#include "sim/txn_watch.hpp"

namespace tailwater::sim {

class World {
 public:
  World(std::uint64_t seed, Notes notes);
  Outcome run();

 private:
  enum class Phase : std::uint8_t { setup, unrest, healing, looking, leaving, over };

  void create_topics();
  void find_ids();
  Topic topic(std::string_view name) const;
  void find_coordinator(std::int8_t of);
  void begin_unrest();
  void add_producer(const std::string& name, std::string_view topic, const std::vector<TrackNumber>& tracks,
                    Promise promise);
  void plan_members();
  void add_transactors();
  void add_transactor(TransactorSetup setup);
  void add_recreator();
  void add_others();
  void add_auditor(const std::string& name, std::string_view topic, const std::vector<TrackNumber>& tracks);
  void end_unrest();
  void begin_healing();
  void watch_healing();
  void begin_looking();
  void begin_leaving();
  bool writers_finished() const;
  bool at_rest() const;
  std::string progress() const;
  void ask_again();
  void check_complaints();

  std::uint64_t seed_;
  Agenda agenda_;
  Digest digest_;
  FaultCounts counts_;
  Options options_;
  Ledger ledger_;
  GroupWatch watch_{ledger_};
  TxnWatch transactions_{ledger_};
  Disk disk_;
  Broker broker_;
  Nemesis nemesis_;
  Client admin_;
  std::function<void()> again_;
  std::map<std::string, Uuid> ids_;  // of topics
  std::vector<TrackNumber> tracks_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<std::unique_ptr<Transactor>> transactors_;
  std::unique_ptr<Haunter> haunter_;
  std::unique_ptr<StableWatch> stable_watch_;
  std::unique_ptr<CommittedReader> committed_reader_;   // all the time
  bool all_written_ = false;                            // nobody writes any more
  std::unique_ptr<CommittedReader> committed_auditor_;  // at the end
  std::unique_ptr<Recreator> recreator_;
  std::unique_ptr<Trimmer> trimmer_;
  std::unique_ptr<Keeper> keeper_;
  std::vector<TrackNumber> hasty_tracks_;
  std::vector<TrackNumber> transactional_tracks_;
  std::vector<std::unique_ptr<Consumer>> auditors_;
  Phase phase_ = Phase::setup;
  std::string left_behind_;            // when all clients were gone
  Instant deadline_ = Instant::max();  // of the present phase, or of all after the faults
  Instant looked_;                     // at clients' complaints
};

}  // namespace tailwater::sim
