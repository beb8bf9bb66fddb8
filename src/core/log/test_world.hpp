// Storage on a TestDisk, with a model of what every log must hold: for the tests of this room.
//   pump     turns and completions until nothing happens any more
//   crash    power loss, then a new Storage over what is left; verify() compares every log with the model
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "core/log/storage.hpp"
#include "core/log/test_disk.hpp"
#include "records/batch.hpp"
#include "records/builder.hpp"

namespace tailwater::log {

// One batch of one record (or `count`), as a client sends it.
struct BatchSpec {
  std::size_t value_size = 20;
  std::int32_t count = 1;
  std::int64_t timestamp = 1'000;
  ProducerId producer{-1};
  std::int32_t sequence = -1;
  ProducerEpoch producer_epoch{0};
  char fill = 'v';
};

inline Buffer make_batch(const BatchSpec& spec) {
  records::BatchOptions options;
  options.producer_id = spec.producer;
  options.producer_epoch = spec.producer.value >= 0 ? spec.producer_epoch : ProducerEpoch{-1};
  options.base_sequence = spec.sequence;
  records::BatchBuilder builder(options);
  const std::string value(spec.value_size, spec.fill);
  for (std::int32_t each = 0; each < spec.count; ++each) {
    EXPECT_TRUE(builder.add(spec.timestamp + each, std::nullopt, as_bytes(value)));
  }
  Buffer out;
  EXPECT_TRUE(builder.finish(out).has_value());
  return out;
}

inline records::BatchInfo info_of(const Buffer& batch) {
  const auto accepted = records::validate_for_produce(batch, {}, WallTime{1'000'000});
  EXPECT_TRUE(accepted.has_value());
  return accepted.value_or(records::BatchInfo{});
}

class World {
 public:
  struct ModelBatch {
    Offset base;
    Offset last;
    Buffer bytes;  // as stored
    ProducerId producer{-1};
    std::int32_t sequence = -1;
  };
  struct Model {
    LogIdentity identity;
    Offset start;
    Offset acked;  // the largest durable_end seen
    std::vector<ModelBatch> batches;
    // Of how many of the last batches the producer's state is known; truncation forgets, see ProducerTable.
    std::size_t remembered = 0;
    // As of the last start, and what was done since: a crash keeps a beginning of it.
    std::vector<ModelBatch> batches_at_start;
    std::size_t remembered_at_start = 0;
    struct Change {
      std::optional<Offset> truncated_to;
      ModelBatch appended;
      bool emptied = false;  // retention had passed that place: nothing is known of producers any more
    };
    std::vector<Change> changes;
    Offset end() const { return batches.empty() ? start_at : batches.back().last + 1; }
    Offset start_at;
    bool removed = false;
    // Of what was acknowledged, so much may go with the power. By log: a name may come back with other terms.
    std::int64_t may_lose = 0;
  };

  explicit World(std::uint64_t seed) : disk(seed), random(seed + 1) {
    set_check_hook([](const char* condition, const char* file, int line) {
      std::fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, condition);
    });
    options.dirs = {DirId{0}};
    options.ring_bytes_start = options.ring_bytes_max = 256 << 10;
    options.frame_bytes_max = 16 << 10;
    options.memory_bytes = 64 << 20;
    options.cold_block_bytes = 16 << 10;
    options.seed = seed * 1'000 + 17;
  }

  void start() {
    ++options.seed;
    storage = std::make_unique<Storage>(options);
    storage->start(now, effects);
    disk.submit(effects);
  }
  void start_and_recover() {
    start();
    pump();
    ASSERT_TRUE(storage->recovered());
    match_logs();
  }

  void turn() {
    take_news();
    storage->turn(now, effects);
    disk.submit(effects);
  }
  // One completion, then a turn.
  void step() {
    if (!disk.idle()) storage->completed(disk.step(), now);
    turn();
  }
  void pump(int limit = 200'000) {
    turn();
    while (!disk.idle() || storage->next_deadline() <= now.monotonic) {
      step();
      ASSERT_GT(--limit, 0) << "no rest";
    }
  }
  void advance(Duration span) {
    now.monotonic = now.monotonic + span;
    now.wall.ms += span.to_ms();
  }
  void take_news() {
    for (Log* log : storage->changed()) {
      Model& model = models.at(log->id());
      EXPECT_GE(log->durable_end(), model.acked);
      EXPECT_LE(log->durable_end(), model.end());
      model.acked = log->durable_end();
    }
    for (const ReadTicket ticket : storage->ready_reads()) ready.push_back(ticket);
    for (std::string& fault : storage->take_faults()) faults.push_back(std::move(fault));
    storage->clear_news();
  }

  void crash() {
    disk.crash();
    power_lost = true;
    options.boot_id = random.uuid();
    storage.reset();
    effects.clear();
    ready.clear();
  }
  void kill() {
    disk.kill();
    storage.reset();
    effects.clear();
    ready.clear();
  }
  void stop() {
    storage->stop();
    pump();
    ASSERT_TRUE(storage->stopped());
    storage.reset();
    disk.kill();
  }

  Log& create(const std::string& topic, LogConfig config = {}, DirId dir = DirId{0}) {
    const auto log = storage->create({LogId{}, random.uuid(), topic, PartitionId{0}, dir}, config);
    EXPECT_TRUE(log.has_value());
    configs[topic] = config;
    Model& model = models[(*log)->id()];
    model.identity = (*log)->identity();
    if (config.os_durable && options.os_ring) model.may_lose = config.flush_messages - 1;
    return **log;
  }
  Log& log(const std::string& topic) {
    for (Log* each : storage->logs()) {
      if (each->identity().topic == topic) return *each;
    }
    ADD_FAILURE() << topic << " is not there";
    return *storage->logs()[0];
  }

  std::expected<Appended, AppendRefusal> append(Log& log, const BatchSpec& spec,
                                                LeaderEpoch epoch = LeaderEpoch{1}) {
    Buffer batch = make_batch(spec);
    const records::BatchInfo info = info_of(batch);
    const auto appended = storage->append(log, batch, info, {.epoch = epoch}, now);
    if (!appended || appended->duplicate) return appended;
    records::set_base_offset(batch, appended->base);
    records::set_leader_epoch(batch, epoch);
    if (log.config().log_append_time) records::set_log_append_time(batch, now.wall);
    Model& model = models.at(log.id());
    model.changes.push_back(
        {std::nullopt, {appended->base, appended->last, std::move(batch), spec.producer, spec.sequence}});
    apply(model.batches, model.remembered, model.changes.back());
    return appended;
  }
  void remove(Log& log) {
    models.at(log.id()).removed = true;
    storage->remove(log.id());
  }
  TruncateAnswer truncate(Log& log, Offset end) {
    TruncateAnswer answer = storage->truncate(log, end);
    for (int tries = 0; answer.kind == TruncateAnswer::Kind::need && tries < 20; ++tries) {
      while (ready.empty()) {
        if (disk.idle()) advance(Duration::from_ms(1));
        step();
      }
      ready.clear();
      answer = storage->truncate(log, end);
    }
    EXPECT_EQ(answer.kind, TruncateAnswer::Kind::done);
    Model& model = models.at(log.id());
    model.changes.push_back({end, {}, log.start_offset() == log.end_offset()});
    apply(model.batches, model.remembered, model.changes.back());
    model.acked = std::min(model.acked, model.end());
    EXPECT_EQ(log.end_offset(), model.end());
    return answer;
  }

  // Reads [from, upper) to the end, waiting for the disk where that is needed; anew from the log's start
  // should retention pass `from` meanwhile (then it says so).
  Buffer read_all(Log& log, Offset& begin, Offset upper, std::size_t bytes_max = 64 << 10) {
    Buffer all;
    Offset from = begin;
    for (int plans = 0; from < upper; ++plans) {
      EXPECT_LT(plans, 200'000);
      std::vector<Bytes> pieces;
      const ReadPlan plan = storage->plan_read(log, {from, bytes_max, upper, true}, pieces);
      if (plan.kind == ReadPlan::Kind::need) {
        while (ready.empty()) {
          // A file that an earlier user still has locked is asked for again after a while.
          if (disk.idle()) advance(Duration::from_ms(1));
          step();
        }
        ready.clear();
        continue;
      }
      if (plan.kind == ReadPlan::Kind::out_of_range && from < log.start_offset()) {
        all.clear();
        from = begin = log.start_offset();
        continue;
      }
      if (plan.kind != ReadPlan::Kind::hot) {
        ADD_FAILURE() << "plan is " << static_cast<int>(plan.kind) << " at " << from.value << " of "
                      << upper.value;
        return all;
      }
      std::size_t bytes = 0;
      for (const Bytes piece : pieces) {
        all.insert(all.end(), piece.begin(), piece.end());
        bytes += piece.size();
      }
      EXPECT_EQ(bytes, plan.bytes);
      EXPECT_GT(plan.next, from);
      storage->unpin(plan.pin);
      from = plan.next;
    }
    return all;
  }
  static Buffer bytes_from(const Model& model, Offset from, Offset upper) {
    Buffer all;
    for (const ModelBatch& batch : model.batches) {
      if (batch.last < from || batch.last >= upper) continue;
      all.insert(all.end(), batch.bytes.begin(), batch.bytes.end());
    }
    return all;
  }

  static void apply(std::vector<ModelBatch>& batches, std::size_t& remembered, const Model::Change& change) {
    if (!change.truncated_to) {
      batches.push_back(change.appended);
      remembered = std::min<std::size_t>(remembered + 1, 5);
      return;
    }
    while (!batches.empty() && batches.back().last >= *change.truncated_to) {
      batches.pop_back();
      if (remembered > 0) --remembered;
    }
    if (change.emptied) remembered = 0;
  }
  // Which beginning of the changes is in the log: of those with the right end, the last with the right bytes.
  void find_state(Log& log, Model& model) {
    Offset begin = log.start_offset();
    const Buffer got = read_all(log, begin, log.end_offset());
    for (std::size_t kept = model.changes.size() + 1; kept-- > 0;) {
      std::vector<ModelBatch> batches = model.batches_at_start;
      std::size_t remembered = model.remembered_at_start;
      for (std::size_t each = 0; each < kept; ++each) apply(batches, remembered, model.changes[each]);
      const Offset end = batches.empty() ? model.start_at : batches.back().last + 1;
      if (end != log.end_offset()) continue;
      Model candidate;
      candidate.batches = batches;
      if (bytes_from(candidate, begin, end) != got) continue;
      model.batches = model.batches_at_start = std::move(batches);
      model.remembered = model.remembered_at_start = remembered;
      model.changes.clear();
      return;
    }
    ADD_FAILURE() << model.identity.topic << ": no beginning of what was done gives this log, which ends at "
                  << log.end_offset().value << "; all of it ends at " << model.end().value;
  }

  // After a start: every log holds what was acknowledged, and nothing that was never appended; the model
  // follows.
  void match_logs() {
    for (auto at = models.begin(); at != models.end();) {
      Model& model = at->second;
      Log* log = storage->find(at->first);
      const LogConfig& config = configs[model.identity.topic];
      const std::int64_t lost = power_lost ? model.may_lose : 0;
      const Offset kept = Offset{std::max(model.start_at.value, model.acked.value - lost)};
      if (log == nullptr) {
        EXPECT_TRUE(model.removed || kept == model.start_at) << model.identity.topic << " is lost";
        at = models.erase(at);
        continue;
      }
      model.removed = false;
      storage->set_config(*log, config);
      EXPECT_EQ(log->identity(), model.identity);
      EXPECT_GE(log->end_offset(), kept) << model.identity.topic << ": acknowledged records are lost";
      EXPECT_EQ(log->durable_end(), log->end_offset());
      find_state(*log, model);
      model.acked = log->end_offset();
      ++at;
    }
    EXPECT_EQ(storage->logs().size(), models.size());
    power_lost = false;
  }
  // What a journal brings back, and then what the files alone hold.
  void verify_after_crash_and_stop() {
    crash();
    start_and_recover();
    verify();
    stop();
    start_and_recover();
    verify();
  }
  void verify() {
    for (auto& [id, model] : models) {
      Log* log = storage->find(id);
      if (log == nullptr) continue;
      Offset begin = log->start_offset();
      const Buffer got = read_all(*log, begin, log->end_offset());
      const Buffer expected = bytes_from(model, begin, log->end_offset());
      ASSERT_EQ(got.size(), expected.size()) << model.identity.topic;
      ASSERT_TRUE(got == expected) << model.identity.topic << ": other bytes than were appended";
    }
    EXPECT_EQ(disk.complaints(), std::vector<std::string>{});
    EXPECT_TRUE(storage->report(DirId{0}).state != DirState::offline)
        << storage->report(DirId{0}).failure.message;
  }

  TestDisk disk;
  Prng random;
  StorageOptions options;
  Now now{Instant{1'000'000'000}, WallTime{1'000'000}};
  std::unique_ptr<Storage> storage;
  DiskEffects effects;
  std::map<LogId, Model> models;
  std::map<std::string, LogConfig> configs;
  std::vector<ReadTicket> ready;
  std::vector<std::string> faults;
  bool power_lost = false;  // since the last start that went through
};

}  // namespace tailwater::log
