#include "crash_states/workload.hpp"

#include <algorithm>
#include <utility>

#include "records/batch.hpp"

namespace tailwater::crash_states {

namespace {

//                        create append burst txn commit abort trunc start remove wait settle restart kill
//                        steps fault
constexpr Workload kWorkloads[] = {
    {.name = "first", .acts = 6, .weights = {1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2}},
    {.name = "append",
     .acts = 25,
     .logs = 3,
     .value_max = 3'000,
     .weights = {2, 12, 2, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 6}},
    {.name = "lap",
     .acts = 60,
     .logs = 3,
     .value_max = 6'000,
     .flush_run_bytes = 8 << 10,
     .weights = {2, 6, 20, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 6}},
    {.name = "roll",
     .acts = 40,
     .logs = 2,
     .value_max = 1'000,
     .segment_bytes = 4'000,
     .flush_run_bytes = 4'096,
     .weights = {2, 12, 6, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 6}},
    {.name = "sync_all",
     .acts = 40,
     .logs = 6,
     .value_max = 2'000,
     .segment_bytes = 8'000,
     .flush_run_bytes = 4'096,
     .sync_each_max = 1,
     .weights = {6, 12, 8, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 6}},
    {.name = "truncate",
     .acts = 40,
     .logs = 2,
     .value_max = 1'500,
     .segment_bytes = 8'000,
     .flush_run_bytes = 4'096,
     .weights = {2, 10, 4, 0, 0, 0, 6, 0, 0, 2, 2, 0, 0, 6}},
    {.name = "remove",
     .acts = 40,
     .logs = 4,
     .value_max = 1'500,
     .segment_bytes = 16'000,
     .flush_run_bytes = 4'096,
     .weights = {8, 10, 4, 0, 0, 0, 0, 0, 4, 3, 2, 0, 0, 6}},
    {.name = "start",
     .acts = 40,
     .logs = 2,
     .value_max = 1'500,
     .segment_bytes = 4'000,
     .flush_run_bytes = 4'096,
     .weights = {2, 10, 4, 0, 0, 0, 0, 5, 0, 3, 2, 0, 0, 6}},
    {.name = "retention",
     .acts = 50,
     .logs = 2,
     .value_max = 1'500,
     .segment_bytes = 4'000,
     .flush_run_bytes = 4'096,
     .retention_bytes = 6'000,
     .weights = {2, 10, 6, 0, 0, 0, 0, 0, 0, 6, 2, 0, 0, 6}},
    {.name = "recycle",
     .acts = 60,
     .logs = 3,
     .value_max = 1'500,
     .segment_bytes = 4'000,
     .flush_run_bytes = 4'096,
     .weights = {3, 8, 12, 0, 0, 0, 1, 6, 1, 6, 3, 0, 1, 6}},
    {.name = "transactions",
     .acts = 50,
     .logs = 2,
     .value_max = 300,
     .segment_bytes = 4'000,
     .flush_run_bytes = 4'096,
     .weights = {2, 6, 2, 12, 3, 3, 0, 0, 0, 1, 1, 0, 0, 6}},
    {.name = "stop",
     .acts = 30,
     .logs = 3,
     .value_max = 1'500,
     .segment_bytes = 8'000,
     .weights = {3, 10, 3, 3, 1, 1, 1, 1, 0, 1, 1, 4, 0, 4}},
    {.name = "kill",
     .acts = 30,
     .logs = 3,
     .value_max = 1'500,
     .segment_bytes = 8'000,
     .weights = {3, 10, 3, 3, 1, 1, 1, 1, 0, 1, 1, 0, 4, 4}},
    {.name = "direct",
     .acts = 40,
     .logs = 3,
     .value_max = 8'000,
     .segment_bytes = 256 << 10,
     .flush_run_bytes = 4'096,
     .weights = {2, 4, 16, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 10}},
    {.name = "growth",
     .acts = 60,
     .logs = 2,
     .value_max = 8'000,
     .flush_run_bytes = 8 << 10,
     .ring_doublings = 1,
     .weights = {2, 4, 24, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 3}},
    {.name = "large",
     .acts = 20,
     .logs = 2,
     .value_max = 40'000,
     .flush_run_bytes = 8 << 10,
     .ring_doublings_for_a_batch = 2,
     .weights = {2, 4, 8, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, 6}},
    {.name = "soft",
     .acts = 50,
     .logs = 3,
     .value_max = 3'000,
     .segment_bytes = 16'000,
     .flush_run_bytes = 8 << 10,
     .os_percent = 70,
     .weights = {3, 16, 6, 0, 0, 0, 2, 1, 0, 3, 1, 1, 2, 8}},
    {.name = "recreate",
     .acts = 50,
     .logs = 3,
     .value_max = 1'500,
     .segment_bytes = 16'000,
     .flush_run_bytes = 4'096,
     .os_percent = 50,
     .weights = {10, 10, 4, 0, 0, 0, 0, 0, 6, 3, 2, 1, 1, 8}},
    {.name = "compaction",
     .acts = 70,
     .value_max = 200,
     .segment_bytes = 1'500,
     .flush_run_bytes = 4'096,
     .flush_round_bytes = 4'096,
     .keys = 6,
     .weights = {2, 14, 8, 6, 2, 2, 0, 0, 0, 6, 6, 0, 1, 6}},
    {.name = "compaction_small_map",
     .acts = 70,
     .logs = 2,
     .value_max = 300,
     .segment_bytes = 2'500,
     .flush_run_bytes = 4'096,
     .flush_round_bytes = 4'096,
     .retention_bytes = 9'000,
     .os_percent = 30,
     .keys = 20,
     .compaction_map_bytes = 1,
     .weights = {1, 14, 8, 4, 1, 2, 0, 1, 0, 8, 6, 1, 1, 6}},
    {.name = "dirs",
     .acts = 50,
     .logs = 4,
     .dirs = 2,
     .value_max = 2'000,
     .segment_bytes = 8'000,
     .flush_run_bytes = 8 << 10,
     .os_percent = 30,
     .weights = {6, 14, 6, 3, 1, 1, 2, 2, 2, 3, 2, 1, 1, 8}},
    {.name = "broken_dir",
     .acts = 50,
     .logs = 4,
     .dirs = 2,
     .value_max = 2'000,
     .segment_bytes = 8'000,
     .flush_run_bytes = 8 << 10,
     .os_percent = 20,
     .weights = {6, 14, 6, 3, 1, 1, 1, 1, 1, 2, 1, 1, 3, 8, 3}},
    {.name = "everything",
     .acts = 60,
     .logs = 5,
     .dirs = 2,
     .value_max = 3'000,
     .segment_bytes = 8'000,
     .flush_run_bytes = 8 << 10,
     .sync_each_max = 4,
     .retention_bytes = 20'000,
     .os_percent = 30,
     .weights = {6, 12, 8, 6, 2, 2, 3, 2, 2, 3, 1, 1, 2, 8, 1}},
};

}  // namespace

std::span<const Workload> workloads() {
  return kWorkloads;
}

Course::Course(const Workload& workload, Mode mode, Lie lie, std::uint64_t seed)
    : workload_(workload), random_(seed) {
  setup_.mode = mode;
  setup_.lie = lie;
  setup_.storage = small_storage();
  setup_.storage.seed = seed * 1'000;
  setup_.storage.flush_run_bytes = workload.flush_run_bytes;
  setup_.storage.flush_round_bytes = workload.flush_round_bytes;
  setup_.storage.sync_each_max = workload.sync_each_max;
  setup_.storage.ring_bytes_limit = setup_.storage.ring_bytes_max << workload.ring_doublings_for_a_batch;
  setup_.storage.ring_bytes_max <<= workload.ring_doublings;
  for (std::uint32_t dir = 1; dir < workload.dirs; ++dir) setup_.storage.dirs.emplace_back(dir);
  setup_.storage.os_ring = workload.os_percent > 0;
  setup_.storage.compaction_map_bytes = workload.compaction_map_bytes;
}

void Course::begin(std::unique_ptr<disk_model::Disk> disk, Ledger ledger, Now now) {
  const std::uint64_t seed = setup_.storage.seed + ++lives_;
  life_ = std::make_unique<Life>(setup_, std::move(disk), std::move(ledger), now, seed);
  life_->at_point = [this] {
    if (at_point) at_point(*life_);
  };
  life_->start();
  life_->judge(End::process_died);
}

void Course::run() {
  begin(Port::fresh_disk(setup_.mode), {}, {Instant{1'000'000'000}, WallTime{1'000'000}});
  for (std::uint32_t each = 0; each < workload_.acts && !life_->failed(); ++each) act(draw());
}

void Course::run(std::span<const Act> script) {
  begin(Port::fresh_disk(setup_.mode), {}, {Instant{1'000'000'000}, WallTime{1'000'000}});
  for (const Act each : script) {
    ++acts_begun_;
    if (!life_->failed()) act(each);
  }
}

Act Course::draw() {
  std::uint64_t sum = 0;
  for (const std::uint32_t weight : workload_.weights) sum += weight;
  std::uint64_t at = random_.below(sum);
  for (std::size_t act = 0; act < kActs; ++act) {
    if (at < workload_.weights[act]) return static_cast<Act>(act);
    at -= workload_.weights[act];
  }
  return Act::append;
}

log::Log* Course::some_log() {
  const auto usable = [&] {
    std::vector<log::Log*> logs;
    for (log::Log* log : life_->storage().logs()) {
      if (life_->online(*log)) logs.push_back(log);
    }
    return logs;
  };
  if (usable().empty()) create();
  const std::vector<log::Log*> logs = usable();
  return logs.empty() ? nullptr : logs[random_.below(logs.size())];
}

void Course::create() {
  const DirId dir{static_cast<std::uint32_t>(random_.below(workload_.dirs))};
  if (!life_->online(dir)) return;
  log::LogConfig config;
  config.segment_bytes = workload_.segment_bytes;
  config.index_interval_bytes = 500;
  config.retention_bytes = workload_.retention_bytes;
  config.file_delete_delay_ms = 500;
  if (random_.below(100) < workload_.os_percent) {
    constexpr std::int64_t kMessages[] = {1, 4, INT64_MAX};
    config.os_durable = true;
    config.flush_messages = kMessages[random_.below(std::size(kMessages))];
    if (random_.one_in(3)) config.flush_ms = static_cast<std::int64_t>(random_.below(50));
  }
  if (workload_.keys > 0) {
    config.compact = true;
    config.remove = workload_.retention_bytes != log::kForever;
    config.min_cleanable_dirty_millionths = 0;
    config.delete_retention_ms = 1'000;
  }
  life_->create(some_name(), config, dir);
}

std::string Course::some_name() {
  // A kill, or a directory that was broken, may have brought back what was removed.
  std::erase_if(free_names_, [&](const std::string& name) {
    return std::ranges::any_of(life_->storage().logs(),
                               [&](log::Log* log) { return log->identity().topic == name; });
  });
  if (free_names_.empty()) return "t" + std::to_string(names_++);
  std::string name = std::move(free_names_.back());
  free_names_.pop_back();
  return name;
}

std::vector<Key> Course::some_keys() {
  std::vector<Key> keys;
  for (std::uint32_t each = 0; each < 3 && workload_.keys > 0; ++each) {
    std::string name = "k" + std::to_string(random_.below(workload_.keys));
    keys.push_back({.name = std::move(name), .deleted = random_.one_in(5)});
  }
  return keys;
}

void Course::append(log::Log& log, std::size_t value_size, bool transactional) {
  life_->wait_for_room(log.identity().dir);
  if (life_->failed()) return;
  NewBatch batch;
  batch.value_size = std::min<std::size_t>(value_size, workload_.segment_bytes / 4);
  batch.count = 1 + static_cast<std::int32_t>(random_.below(3));
  batch.producer = ProducerId{static_cast<std::int64_t>((transactional ? 10 : 1) + random_.below(2))};
  batch.sequence = life_->next_sequence(log, batch.producer);
  batch.transactional = transactional;
  batch.keys = some_keys();
  life_->append(log, batch);
}

void Course::end_transaction(log::Log& log, records::ControlType type) {
  for (const log::ProducerFacts& each : log.producers()) {
    if (!each.in_transaction()) continue;
    life_->wait_for_room(log.identity().dir);
    if (!life_->failed()) life_->end_transaction(log, each.id, type);
    return;
  }
}

void Course::truncate(log::Log& log) {
  const std::vector<const Change*> batches = life_->ledger().at(log.id()).batches();
  // A log's end never goes back below what readers of committed records have seen decided.
  const auto decided = std::find_if(batches.rbegin(), batches.rend(), [](const Change* batch) {
    return records::BatchView(*batch->bytes).is_transactional();
  });
  const auto most = std::min<std::ptrdiff_t>(decided - batches.rbegin(), 5);
  if (most == 0) return;
  const std::size_t back = 1 + static_cast<std::size_t>(random_.below(static_cast<std::uint64_t>(most)));
  const Offset end = batches[batches.size() - back]->base;
  if (end > log.start_offset()) life_->truncate(log, end);
}

void Course::start(log::Log& log) {
  if (log.durable_end() <= log.start_offset()) return;
  const auto span = static_cast<std::uint64_t>(log.durable_end() - log.start_offset());
  life_->set_start(log, log.start_offset() + 1 + static_cast<std::int64_t>(random_.below(span)));
}

void Course::restart(bool clean) {
  if (clean) life_->stop();
  if (life_->failed()) return;
  auto disk = life_->port().kill(random_);
  Ledger ledger = life_->ledger();
  const Now now = life_->now();
  begin(std::move(disk), std::move(ledger), now);
}

void Course::break_something() {
  const DirId dir{static_cast<std::uint32_t>(random_.below(workload_.dirs))};
  life_->break_dir(dir, random_.one_in(2) ? Break::once : Break::for_good);
}

void Course::act(Act act) {
  if (act == Act::create) {
    if (life_->storage().logs().size() < workload_.logs) create();
    return;
  }
  if (act == Act::wait) {
    life_->advance(Duration::from_ms(static_cast<std::int64_t>(random_.below(1'500))));
    return life_->step();
  }
  if (act == Act::settle) return life_->settle();
  if (act == Act::restart || act == Act::kill) return restart(act == Act::restart);
  if (act == Act::steps) {
    for (std::uint64_t left = 1 + random_.below(6); left > 0; --left) life_->step();
    return;
  }
  if (act == Act::fault) return break_something();
  log::Log* log = some_log();
  if (log == nullptr) return;
  work_on(*log, act);
  for (std::uint64_t left = random_.below(4); left > 0 && !life_->failed(); --left) life_->step();
}

void Course::work_on(log::Log& log, Act act) {
  switch (act) {
    case Act::append:
      append(log, random_.below(200), false);
      break;
    case Act::burst:
      for (std::uint64_t left = 2 + random_.below(4); left > 0 && !life_->failed(); --left)
        append(log, random_.below(workload_.value_max), false);
      break;
    case Act::transaction:
      append(log, random_.below(workload_.value_max), true);
      break;
    case Act::commit:
      end_transaction(log, records::ControlType::commit);
      break;
    case Act::abort:
      end_transaction(log, records::ControlType::abort);
      break;
    case Act::truncate:
      truncate(log);
      break;
    case Act::start:
      start(log);
      break;
    case Act::remove:
      free_names_.insert(free_names_.begin(), log.identity().topic);
      life_->remove(log);
      break;
    default:
      break;
  }
}

}  // namespace tailwater::crash_states
