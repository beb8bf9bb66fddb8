// What a storage is made to do before the power goes: short courses, each about one idea, drawn from a seed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.hpp"
#include "crash_states/life.hpp"

namespace tailwater::crash_states {

enum class Act : std::uint8_t {
  create,       // a log; under the name of a removed one where there is one
  append,       // a small batch
  burst,        // several larger ones
  transaction,  // a batch of an open transaction, or of a new one
  commit,
  abort,
  truncate,
  start,    // DeleteRecords
  remove,   // a log
  wait,     // time passes
  settle,   // until nothing waits any more
  restart,  // a clean stop and a start
  kill,     // the process dies and starts again
  steps,    // a few completions
  fault,    // the disk of a directory breaks, until the next start
};
inline constexpr std::size_t kActs = 15;
inline constexpr std::string_view kActNames[kActs] = {"create", "append",   "burst", "transaction", "commit",
                                                      "abort",  "truncate", "start", "remove",      "wait",
                                                      "settle", "restart",  "kill",  "steps",       "fault"};

struct Workload {
  std::string_view name;
  std::uint32_t acts = 20;
  std::uint32_t logs = 1;
  std::uint32_t dirs = 1;
  std::uint32_t value_max = 100;
  std::uint32_t segment_bytes = 1 << 20;
  std::uint32_t flush_run_bytes = 16 << 10;
  std::uint32_t flush_round_bytes = 32 << 20;  // compaction waits for rounds
  std::uint32_t sync_each_max = 16;            // above so many files of a flush everything is synced at once
  std::uint32_t ring_doublings = 0;
  std::uint32_t ring_doublings_for_a_batch = 0;
  std::int64_t retention_bytes = log::kForever;
  std::uint32_t os_percent = 0;  // of the logs have tailwater.durability=os
  std::uint32_t keys = 0;        // so many different ones; then the logs are compacted
  std::uint64_t compaction_map_bytes = 1 << 20;
  std::uint32_t weights[kActs] = {};  // by Act
};

std::span<const Workload> workloads();

class Course {
 public:
  Course(const Workload& workload, Mode mode, Lie lie, std::uint64_t seed);

  // Called at each point of the course, with the life as it is there.
  std::function<void(Life&)> at_point;

  void run();
  // The acts in this order instead of drawn ones.
  void run(std::span<const Act> script);

  const std::string& failure() const { return life_->failure(); }
  // Of a script, so many have begun.
  std::size_t acts_begun() const { return acts_begun_; }
  const Setup& setup() const { return setup_; }

 private:
  void begin(std::unique_ptr<disk_model::Disk> disk, Ledger ledger, Now now);
  void act(Act act);
  Act draw();
  log::Log* some_log();
  void work_on(log::Log& log, Act act);
  void create();
  std::string some_name();
  void break_something();
  std::vector<Key> some_keys();
  void append(log::Log& log, std::size_t value_size, bool transactional);
  void end_transaction(log::Log& log, records::ControlType type);
  void truncate(log::Log& log);
  void start(log::Log& log);
  void restart(bool clean);

  const Workload& workload_;
  Setup setup_;
  Prng random_;
  std::unique_ptr<Life> life_;
  std::vector<std::string> free_names_;
  std::uint32_t names_ = 0;
  std::uint64_t lives_ = 0;
  std::size_t acts_begun_ = 0;
};

}  // namespace tailwater::crash_states
