// One process's life over a disk: a Storage behind a port, and the ledger of what is done to it. Starts,
// works, and judges what a start has found. Everything goes one step at a time; at_point is called between
// any two.
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

struct NewBatch {
  std::size_t value_size = 20;
  std::int32_t count = 1;
  ProducerId producer{-1};
  std::int32_t sequence = -1;
  bool transactional = false;
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
  // Until the storage has recovered; fails if it does not, or gives the directory up.
  void start();
  // Every log holds a beginning of what was done to it with all that was promised, and the state of producers
  // that belongs to it. The ledger goes on from there.
  void judge();
  // Takes repeated and new batches as it must, and gives back all there is.
  void prove_use();

  // --- work
  void step();
  // Until nothing waits any more.
  void settle();
  void advance(Duration span);
  // Until batches may be appended again.
  void wait_for_room();
  void create(const std::string& topic, const log::LogConfig& config);
  void append(log::Log& log, const NewBatch& batch);
  void end_transaction(log::Log& log, ProducerId producer, records::ControlType type);
  void truncate(log::Log& log, Offset end);
  void set_start(log::Log& log, Offset start);
  void remove(log::Log& log);
  // The clean stop, to its end.
  void stop();

  // --- looks
  log::Storage& storage() { return *storage_; }
  const Ledger& ledger() const { return ledger_; }
  const Port& port() const { return port_; }
  const Now& now() const { return now_; }
  bool recovered() const { return storage_->recovered(); }
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
  void complete_or_wait();
  std::string unrest() const;
  bool wait_for_read(std::uint64_t& tries);
  Buffer read_all(log::Log& log);
  void judge_log(log::Log& log, Story& story);
  std::string differs(log::Log& log, const Buffer& bytes, const LogContent& content) const;
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
  bool judged_ = false;  // only then the ledger is about the logs as they are
  std::uint64_t points_ = 0;
};

}  // namespace tailwater::crash_states
