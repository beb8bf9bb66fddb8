// Storage on a TestDisk with keyed records, for the tests of compaction: a model of everything that was ever
// appended, and what a consumer must see of it whatever compaction did. Included by tests only.
//   records   by offset; transactions are decided by their markers, which are in the model as well
//   check     every record that is read is the one that was appended at its offset; for every key the newest
//             record that is not of an aborted transaction is there (or was a tombstone); aborted data is not
//             seen by whoever filters as clients do; offsets only grow
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "core/log/storage.hpp"
#include "core/log/test_disk.hpp"
#include "records/builder.hpp"
#include "records/compression.hpp"
#include "records/control.hpp"
#include "records/record.hpp"

namespace tailwater::log {

// How a batch is written.
struct Producing {
  ProducerId producer{-1};
  std::int32_t sequence = -1;
  bool transactional = false;
  records::Codec codec = records::Codec::none;
};

class KeyedWorld {
 public:
  struct Written {
    std::string key;
    std::optional<std::string> value;
    std::int64_t timestamp = 0;
    friend bool operator==(const Written&, const Written&) = default;
  };
  struct Batch {
    Offset base;
    Offset last;
    std::vector<Written> records;  // from base on
    ProducerId producer{-1};
    std::int32_t sequence = -1;
    bool transactional = false;
    std::optional<records::ControlType> marker;
  };
  explicit KeyedWorld(std::uint64_t seed) : disk(seed), random(seed + 1) {
    set_check_hook([](const char* condition, const char* file, int line) {
      std::fprintf(stderr, "%s:%d: CHECK(%s)\n", file, line, condition);
    });
    options.dirs = {DirId{0}};
    options.ring_bytes_start = options.ring_bytes_max = 256 << 10;
    options.frame_bytes_max = 16 << 10;
    options.memory_bytes = 64 << 20;
    options.cold_block_bytes = 16 << 10;
    options.seed = seed * 1'000 + 17;
    options.compaction_interval = Duration::from_ms(1'000);
    options.compaction_bytes_per_second = std::uint64_t{1} << 60;  // time passes in large steps here
    config.compact = true;
    config.remove = false;
    config.segment_bytes = 4'096;
    config.index_interval_bytes = 512;
    config.min_cleanable_dirty_millionths = 0;
  }

  // --- life
  void start() {
    ++options.seed;
    storage = std::make_unique<Storage>(options);
    storage->start(now, effects);
    disk.submit(effects);
    pump();
    ASSERT_TRUE(storage->recovered());
    ASSERT_NE(storage->report(DirId{0}).state, DirState::offline)
        << storage->report(DirId{0}).failure.message;
    for (Log* each : storage->logs()) storage->set_config(*each, config);
    if (storage->logs().empty()) {
      ASSERT_TRUE(storage->create({LogId{}, Uuid{1, 2}, "t", PartitionId{0}, DirId{0}}, config).has_value());
      model.clear();
      acked = Offset{0};
    }
    EXPECT_GE(log().end_offset(), acked) << "acknowledged records are lost";
    while (!model.empty() && model.back().last >= log().end_offset()) model.pop_back();
    acked = log().durable_end();
  }
  void turn() {
    for (Log* each : storage->changed()) acked = std::max(acked, each->durable_end());
    for (const ReadTicket ticket : storage->ready_reads()) ready.push_back(ticket);
    for (std::string& fault : storage->take_faults()) faults.push_back(std::move(fault));
    storage->clear_news();
    storage->turn(now, effects);
    disk.submit(effects);
  }
  void step() {
    if (!disk.idle()) storage->completed(disk.step(), now);
    turn();
  }
  void pump(int limit = 400'000) {
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
  // Lets as much time pass as compaction needs, in its own pace, to find nothing more to do.
  void compact() {
    for (int round = 0; round < 40; ++round) {
      advance(options.compaction_interval);
      pump();
    }
  }
  void end(bool power_lost) {
    power_lost ? disk.crash() : disk.kill();
    storage.reset();
    effects.clear();
    ready.clear();
  }
  void stop() {
    storage->stop();
    for (int wait = 0; wait < 100 && !storage->stopped(); ++wait) {
      pump();
      advance(Duration::from_ms(100));
    }
    ASSERT_TRUE(storage->stopped());
    storage.reset();
    disk.kill();
  }
  Log& log() { return *storage->logs()[0]; }

  // --- writing
  bool append(std::vector<Written> records, const Producing& how = {}) {
    records::BatchOptions batch_options;
    batch_options.producer_id = how.producer;
    batch_options.producer_epoch = how.producer.value >= 0 ? ProducerEpoch{0} : ProducerEpoch{-1};
    batch_options.base_sequence = how.sequence;
    batch_options.transactional = how.transactional;
    batch_options.codec = how.codec;
    records::BatchBuilder builder(batch_options);
    for (const Written& record : records) {
      const auto value = record.value ? std::optional<Bytes>(as_bytes(*record.value)) : std::nullopt;
      EXPECT_TRUE(builder.add(record.timestamp, as_bytes(record.key), value));
    }
    Buffer bytes;
    EXPECT_TRUE(builder.finish(bytes).has_value());
    const auto info = records::validate_for_produce(bytes, {.compacted = true}, now.wall);
    EXPECT_TRUE(info.has_value());
    const auto appended = storage->append(log(), bytes, *info, {.epoch = LeaderEpoch{1}}, now);
    if (!appended) return false;
    EXPECT_FALSE(appended->duplicate);
    model.push_back({.base = appended->base,
                     .last = appended->last,
                     .records = std::move(records),
                     .producer = how.producer,
                     .sequence = how.sequence,
                     .transactional = how.transactional,
                     .marker = std::nullopt});
    return true;
  }
  bool append_one(const std::string& key, std::optional<std::string> value, const Producing& how = {}) {
    return append({{key, std::move(value), now.wall.ms}}, how);
  }
  bool append_marker(ProducerId producer, records::ControlType type) {
    Buffer bytes;
    records::append_end_marker({.type = type, .producer_id = producer, .producer_epoch = ProducerEpoch{0}},
                               now.wall, bytes);
    const records::BatchView view(bytes);
    records::BatchInfo info;
    info.size = bytes.size();
    info.records_count = 1;
    info.producer_id = producer;
    info.producer_epoch = ProducerEpoch{0};
    info.transactional = true;
    info.first_timestamp = info.max_timestamp = view.max_timestamp();
    const auto appended =
        storage->append(log(), bytes, info, {.epoch = LeaderEpoch{1}, .origin = Origin::broker}, now);
    if (!appended) return false;
    model.push_back({.base = appended->base,
                     .last = appended->last,
                     .records = {},
                     .producer = producer,
                     .transactional = true,
                     .marker = type});
    return true;
  }
  void truncate(Offset end_offset) {
    TruncateAnswer answer = storage->truncate(log(), end_offset);
    for (int tries = 0; answer.kind == TruncateAnswer::Kind::need && tries < 50; ++tries) {
      while (ready.empty()) step();
      ready.clear();
      answer = storage->truncate(log(), end_offset);
    }
    ASSERT_EQ(answer.kind, TruncateAnswer::Kind::done);
    while (!model.empty() && model.back().last >= end_offset) model.pop_back();
    acked = std::min(acked, log().end_offset());
  }

  // --- what the model says
  std::int32_t next_sequence(ProducerId producer) const {
    for (auto batch = model.rbegin(); batch != model.rend(); ++batch) {
      if (batch->producer == producer && !batch->marker)
        return batch->sequence + static_cast<std::int32_t>(batch->records.size());
    }
    return 0;
  }
  bool in_transaction(ProducerId producer) const {
    for (auto batch = model.rbegin(); batch != model.rend(); ++batch) {
      if (batch->producer == producer && batch->transactional) return !batch->marker;
    }
    return false;
  }
  // How each transactional batch ended: by its base offset; nothing while it is open.
  std::map<Offset, std::optional<records::ControlType>> outcomes() const {
    std::map<Offset, std::optional<records::ControlType>> outcome;
    std::map<ProducerId, std::vector<Offset>> open;
    for (const Batch& batch : model) {
      if (!batch.transactional) continue;
      if (!batch.marker) {
        outcome[batch.base] = std::nullopt;
        open[batch.producer].push_back(batch.base);
        continue;
      }
      for (const Offset base : open[batch.producer]) outcome[base] = batch.marker;
      open[batch.producer].clear();
    }
    return outcome;
  }
  using Newest = std::map<std::string, std::pair<std::int64_t, std::optional<std::string>>>;
  // The newest committed record of each key at or behind `from`, tombstones included.
  Newest newest(Offset from) const {
    Newest all;
    const auto outcome = outcomes();
    for (const Batch& batch : model) {
      if (batch.marker) continue;
      if (batch.transactional && outcome.at(batch.base) != records::ControlType::commit) continue;
      for (std::size_t each = 0; each < batch.records.size(); ++each) {
        const Offset offset = batch.base + static_cast<std::int64_t>(each);
        if (offset >= from) all[batch.records[each].key] = {offset.value, batch.records[each].value};
      }
    }
    return all;
  }

  // --- reading
  Buffer read_all(Offset from, Offset upper, std::size_t bytes_max = 64 << 10) {
    Buffer all;
    int plans = 0;
    while (from < upper) {
      EXPECT_LT(++plans, 200'000);
      std::vector<Bytes> pieces;
      const ReadPlan plan = storage->plan_read(log(), {from, bytes_max, upper, true}, pieces);
      if (plan.kind == ReadPlan::Kind::need) {
        for (int steps = 0; ready.empty() && steps < 100'000; ++steps) step();
        ready.clear();
        continue;
      }
      // Whether there are batches behind a gap is known only by reading on.
      if (plan.kind == ReadPlan::Kind::at_end && plan.bytes == 0) break;
      if (plan.kind != ReadPlan::Kind::hot) {
        ADD_FAILURE() << "plan is " << static_cast<int>(plan.kind) << " at " << from.value << " of "
                      << upper.value;
        break;
      }
      for (const Bytes piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
      storage->unpin(plan.pin);
      EXPECT_GT(plan.next, from);
      from = plan.next;
    }
    return all;
  }

  void check(Offset from) {
    Log& checked = log();
    from = std::max(from, checked.start_offset());
    std::map<Offset, Written> written;
    for (const Batch& batch : model) {
      for (std::size_t each = 0; each < batch.records.size(); ++each) {
        written[batch.base + static_cast<std::int64_t>(each)] = batch.records[each];
      }
    }
    const auto outcome = outcomes();
    std::vector<AbortedTransaction> aborted;
    storage->aborted_transactions(checked, from, checked.end_offset(), aborted);
    std::ranges::sort(aborted, {}, &AbortedTransaction::first_offset);
    const Buffer bytes = read_all(from, checked.end_offset());
    std::set<ProducerId> aborting;
    std::size_t next_aborted = 0;
    Newest seen;
    Offset before{-1};
    records::BatchCursor batches(bytes);
    while (const auto batch = batches.next()) {
      ASSERT_GT(batch->base_offset(), before);
      before = batch->last_offset();
      ASSERT_TRUE(batch->crc_matches());
      // As a client with isolation.level=read_committed does it.
      for (; next_aborted < aborted.size() && aborted[next_aborted].first_offset <= batch->last_offset();
           ++next_aborted) {
        aborting.insert(aborted[next_aborted].producer_id);
      }
      if (batch->is_control()) {
        const auto marker = records::read_end_marker(*batch);
        if (marker && marker->type == records::ControlType::abort) aborting.erase(batch->producer_id());
        continue;
      }
      const bool hidden = batch->is_transactional() && aborting.contains(batch->producer_id());
      Buffer opened;
      ASSERT_TRUE(decompress(batch->codec(), batch->records(), 1 << 24, opened).has_value() ||
                  batch->records_count() == 0);
      records::RecordCursor cursor(opened, batch->records_count());
      while (const auto record = cursor.next()) {
        const Offset offset = records::offset_of(*batch, *record);
        const auto expected = written.find(offset);
        ASSERT_NE(expected, written.end()) << "a record at " << offset.value << " that nobody wrote";
        ASSERT_TRUE(record->key.has_value());
        const Written got{std::string(as_text(*record->key)),
                          record->value ? std::optional(std::string(as_text(*record->value))) : std::nullopt,
                          records::timestamp_of(*batch, *record)};
        ASSERT_EQ(got.key, expected->second.key) << offset.value;
        ASSERT_EQ(got.value, expected->second.value) << offset.value;
        ASSERT_EQ(got.timestamp, expected->second.timestamp) << offset.value;
        if (hidden || offset < from) continue;
        if (batch->is_transactional()) {
          const auto base = std::prev(
              std::ranges::upper_bound(model, offset, {}, [](const Batch& each) { return each.base; }));
          ASSERT_NE(outcome.at(base->base), records::ControlType::abort)
              << "the aborted record at " << offset.value << " can be seen";
          if (!outcome.at(base->base)) continue;  // open: beyond the last stable offset
        }
        seen[got.key] = {offset.value, got.value};
      }
      ASSERT_FALSE(cursor.fault());
    }
    ASSERT_FALSE(batches.fault());
    for (const auto& [key, last] : newest(from)) {
      const auto found = seen.find(key);
      if (!last.second) {
        EXPECT_TRUE(found == seen.end() || found->second == last)
            << key << " came back to life, from " << from.value;
        continue;
      }
      ASSERT_NE(found, seen.end()) << key << " of " << last.first << " is lost, from " << from.value;
      EXPECT_EQ(found->second, last) << key;
    }
    ASSERT_EQ(disk.complaints(), std::vector<std::string>{});
    ASSERT_NE(storage->report(DirId{0}).state, DirState::offline)
        << storage->report(DirId{0}).failure.message;
  }

  std::vector<std::string> paths_with(const std::string& part) const {
    std::vector<std::string> found;
    for (const std::string& path : disk.paths()) {
      if (path.find(part) != std::string::npos) found.push_back(path);
    }
    return found;
  }

  TestDisk disk;
  Prng random;
  StorageOptions options;
  LogConfig config;
  Now now{Instant{1'000'000'000}, WallTime{1'000'000}};
  std::unique_ptr<Storage> storage;
  DiskEffects effects;
  std::vector<ReadTicket> ready;
  std::vector<std::string> faults;
  std::vector<Batch> model;
  Offset acked{0};
};

}  // namespace tailwater::log
