// One process's life over a disk: a Storage behind a port, and the ledger of what is done to it. Starts,
// works (life.cpp), and judges what a start has found (judgement.cpp). Everything goes one step at a time;
// at_point is called between any two.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "core/log/storage.hpp"
#include "crash_states/ledger.hpp"
#include "crash_states/port.hpp"
#include "records/control.hpp"

namespace tailwater::crash_states {

struct Setup {
  log::StorageOptions storage;
  Mode mode = Mode::direct_dsync;
  Lie lie = Lie::none;
};

// The small sizes that make much happen in few steps.
log::StorageOptions small_storage();

// In which all batches are written.
inline constexpr LeaderEpoch kEpoch{1};

// How the life before ended.
enum class End : std::uint8_t { process_died, power_lost };

struct Key {
  std::string name;
  bool deleted = false;  // a tombstone
};

struct NewBatch {
  std::size_t value_size = 20;
  std::int32_t count = 1;
  ProducerId producer{-1};
  std::int32_t sequence = -1;
  bool transactional = false;
  std::vector<Key> keys;  // of the records in turn; none: they have no keys, unless the log is compacted
};

class Life {
 public:
  Life(const Setup& setup, std::unique_ptr<disk_model::Disk> disk, Ledger ledger, Now now,
       std::uint64_t seed);

  std::function<void()> at_point;

  // The first thing that was wrong; empty while nothing is.
  const std::string& failure() const { return failure_; }
  bool failed() const { return !failure_.empty(); }

  // --- start
  // Until the storage has recovered; fails if it does not, or gives up a directory that is not broken.
  void start();
  // Every log holds a beginning of what was done to it with all that was promised, and the state of producers
  // that belongs to it. The ledger goes on from there.
  void judge(End before);
  // Takes repeated and new batches as it must, and gives back all there is.
  void prove_use();
  // After some time there are no files of logs that are gone, and none that compaction was making.
  void prove_tidy();

  // --- work
  void step();
  // Until nothing waits any more.
  void settle();
  void advance(Duration span);
  // Until batches may be appended again, or the directory breaks.
  void wait_for_room(DirId dir);
  void create(const std::string& topic, const log::LogConfig& config, DirId dir = DirId{0});
  void append(log::Log& log, const NewBatch& batch);
  void end_transaction(log::Log& log, ProducerId producer, records::ControlType type);
  void truncate(log::Log& log, Offset end);
  void set_start(log::Log& log, Offset start);
  void remove(log::Log& log);
  // The clean stop, to its end.
  void stop();
  void break_dir(DirId dir, Break how) { port_.break_dir(dir, how); }

  // --- looks
  log::Storage& storage() { return *storage_; }
  const Ledger& ledger() const { return ledger_; }
  const Port& port() const { return port_; }
  const Now& now() const { return now_; }
  bool recovered() const { return storage_->recovered(); }
  bool online(DirId dir) const { return storage_->report(dir).state != log::DirState::offline; }
  bool online(const log::Log& log) const { return online(log.identity().dir); }
  std::uint64_t points() const { return points_; }
  // What the storage has found in its files that somebody ought to look at.
  const std::vector<std::string>& findings() const { return findings_; }
  // The next sequence number of the producer in this log.
  std::int32_t next_sequence(const log::Log& log, ProducerId producer) const;

 private:
  void fail(std::string what);
  void point();
  void turn();
  void note_promises();
  void note_rest();
  void take_findings();
  void complete_or_wait();
  std::string unrest() const;
  bool wait_for_read(std::uint64_t& tries);
  Buffer read_all(log::Log& log);
  void judge_log(log::Log& log, Story& story, End before);
  std::string differs(log::Log& log, const Buffer& bytes, const LogContent& content) const;
  std::string transactions_differ(log::Log& log, const LogContent& content) const;
  std::string producers_differ(const log::Log& log, const LogContent& content) const;
  void repeat_and_go_on(log::Log& log);
  static Buffer make(const NewBatch& batch, std::int64_t timestamp);

  Setup setup_;
  Port port_;
  Ledger ledger_;
  Now now_;
  std::unique_ptr<log::Storage> storage_;
  log::DiskEffects effects_;
  std::string failure_;
  std::vector<std::string> findings_;
  bool judged_ = false;     // only then the ledger is about the logs as they are
  bool loss_told_ = false;  // that the end of logs with tailwater.durability=os may be lost
  std::uint64_t points_ = 0;
};

}  // namespace tailwater::crash_states
