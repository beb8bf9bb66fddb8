#include "programs/load/runs.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "programs/load/eviction.hpp"
#include "programs/load/fetch.hpp"
#include "programs/load/group.hpp"
#include "programs/load/lanes.hpp"
#include "programs/load/requests.hpp"

namespace tailwater::load {

namespace {

constexpr int kMarkerTries = 200;
constexpr int kGroupLives = 5;

double median(std::vector<double> figures) {
  std::ranges::sort(figures);
  return figures[figures.size() / 2];
}

double own_cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Whoever started this program measures the broker between these two lines.
void tell(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::fflush(stderr);
}

struct Measured {
  Outcome outcome;
  double cpu_s = 0;
};

Measured measure(Lanes& lanes, bool is_told = true) {
  Measured measured;
  measured.outcome = lanes.run(
      [&] {
        if (is_told) tell("measuring");
        measured.cpu_s = own_cpu_s();
      },
      [&] {
        measured.cpu_s = own_cpu_s() - measured.cpu_s;
        if (is_told) tell("measured");
      });
  return measured;
}

double megabytes_per_s(const Plan& plan, const Totals& totals, double seconds) {
  return static_cast<double>(totals.records) * plan.record_bytes / 1e6 / seconds;
}

// `more`: further members, each with a comma before it.
void print(const Plan& plan, const Totals& totals, const Measured& measured, const std::string& more = {}) {
  const double seconds = measured.outcome.seconds;
  const Latencies& times = totals.latencies;
  std::printf(
      "{\"requests\": %llu, \"records\": %llu, \"seconds\": %.3f, \"requests_per_s\": %.0f, "
      "\"records_per_s\": %.0f, \"mb_per_s\": %.2f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"p999_us\": %.0f, "
      "\"max_us\": %.0f, \"client_cpu_s\": %.3f%s}\n",
      static_cast<unsigned long long>(totals.units), static_cast<unsigned long long>(totals.records), seconds,
      static_cast<double>(totals.units) / seconds, static_cast<double>(totals.records) / seconds,
      megabytes_per_s(plan, totals, seconds), times.quantile_us(0.5), times.quantile_us(0.99),
      times.quantile_us(0.999), times.max_us(), measured.cpu_s, more.c_str());
}

std::string member(const char* name, double value) {
  char text[64];
  std::snprintf(text, sizeof text, ", \"%s\": %.2f", name, value);
  return text;
}

void add_writers(Lanes& lanes, const Plan& plan, Journey* journey = nullptr) {
  for (std::uint32_t number = 0; number < plan.connections; ++number) {
    lanes.add_writer(make_writer(plan, number, journey));
  }
}

// A transaction's marker has an offset, too, and may be written after the answer.
void expect(Asker& asker, const Plan& plan, std::int64_t before, std::uint64_t written) {
  const bool marked = plan.kind == Kind::transactions;
  const auto expected = static_cast<std::int64_t>(marked ? written + written / plan.records : written);
  std::int64_t found = asker.records_in(plan) - before;
  for (int tries = 0; tries < kMarkerTries && marked && found < expected; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    found = asker.records_in(plan) - before;
  }
  if (found != expected) {
    give_up(std::to_string(expected) + " records were acknowledged, " + std::to_string(found) + " are there");
  }
}

// The bytes that consumers will read. Every connection writes as much, so every partition has about as much.
Stretch preload(Asker& asker, Plan plan) {
  plan.kind = Kind::produce;
  plan.megabytes_per_s = 0;
  const std::uint64_t request = std::uint64_t{plan.batches} * plan.records * plan.record_bytes;
  const std::uint64_t bytes = std::uint64_t{plan.preload_mb} * 1'000'000;
  plan.requests_of_each = std::max<std::uint64_t>(bytes / request / plan.connections, 1);
  Stretch stretch{.topic = asker.topic_id(plan), .begins = asker.ends_of(plan), .ends = {}};
  const std::int64_t before = asker.records_in(plan);
  Lanes lanes(plan);
  add_writers(lanes, plan);
  expect(asker, plan, before, lanes.write_all().written.records_of_run);
  stretch.ends = asker.ends_of(plan);
  return stretch;
}

void run_produce(Asker& asker, const Plan& plan) {
  const std::int64_t before = asker.records_in(plan);
  Lanes lanes(plan);
  add_writers(lanes, plan);
  const Measured measured = measure(lanes);
  expect(asker, plan, before, measured.outcome.written.records_of_run);
  print(plan, measured.outcome.written, measured);
}

void run_consume(Asker& asker, const Plan& plan) {
  const Stretch stretch = preload(asker, plan);
  Lanes lanes(plan);
  for (std::uint32_t each = 0; each < plan.consumers; ++each) {
    lanes.add_reader(std::make_unique<Fetch>(plan, stretch, nullptr));
  }
  const Measured measured = measure(lanes);
  print(plan, measured.outcome.read, measured);
}

void run_follow(Asker& asker, const Plan& plan) {
  const std::int64_t before = asker.records_in(plan);
  const Stretch stretch{.topic = asker.topic_id(plan), .begins = asker.ends_of(plan), .ends = {}};
  Journey journey(stretch.begins, plan.records);
  Lanes lanes(plan, &journey);
  add_writers(lanes, plan, &journey);
  lanes.add_reader(std::make_unique<Fetch>(plan, stretch, &journey));
  const Measured measured = measure(lanes);
  const Outcome& outcome = measured.outcome;
  expect(asker, plan, before, outcome.written.records_of_run);
  if (outcome.read.records_of_run != outcome.written.records_of_run) {
    give_up(std::to_string(outcome.written.records_of_run) + " records were acknowledged, " +
            std::to_string(outcome.read.records_of_run) + " were received");
  }
  print(plan, outcome.read, measured,
        member("written_mb_per_s", megabytes_per_s(plan, outcome.written, outcome.seconds)) +
            member("acknowledged_p50_us", outcome.written.latencies.quantile_us(0.5)) +
            member("acknowledged_p99_us", outcome.written.latencies.quantile_us(0.99)));
}

// Four parts: how fast the broker takes records; the reader alone; the writers alone, at half of that; both.
void run_cold(Asker& asker, const Plan& plan) {
  const Stretch stretch = preload(asker, plan);
  Plan hot = plan;
  hot.topic += "-hot";
  asker.make_topic(hot);
  const auto written = [&](Lanes& lanes, bool is_told = false) {
    const std::int64_t before = asker.records_in(hot);
    Measured measured = measure(lanes, is_told);
    expect(asker, hot, before, measured.outcome.written.records_of_run);
    return measured;
  };
  Lanes full(hot);
  add_writers(full, hot);
  const Measured pace = written(full);
  hot.megabytes_per_s = megabytes_per_s(hot, pace.outcome.written, pace.outcome.seconds) / 2;
  hot.warm_s = std::min(plan.warm_s, 1.0);  // what had to warm up is warm now

  Lanes only_reader(hot);
  auto reader = std::make_unique<Fetch>(plan, stretch, nullptr);
  Outcome alone;
  {
    const Eviction eviction(plan.evict, plan.topic, reader->rounds());
    only_reader.add_reader(std::move(reader));
    alone = measure(only_reader, false).outcome;
  }
  Lanes only_writers(hot);
  add_writers(only_writers, hot);
  const Outcome calm = written(only_writers).outcome;

  Lanes both(hot);
  add_writers(both, hot);
  reader = std::make_unique<Fetch>(plan, stretch, nullptr);
  Measured measured;
  {
    const Eviction eviction(plan.evict, plan.topic, reader->rounds());
    both.add_reader(std::move(reader));
    measured = written(both, true);
  }
  const Outcome& outcome = measured.outcome;
  print(hot, outcome.written, measured,
        member("alone_p50_us", calm.written.latencies.quantile_us(0.5)) +
            member("alone_p99_us", calm.written.latencies.quantile_us(0.99)) +
            member("read_mb_per_s", megabytes_per_s(plan, outcome.read, outcome.seconds)) +
            member("read_alone_mb_per_s", megabytes_per_s(plan, alone.read, alone.seconds)));
}

// Medians of some lives of a group, each of another name.
void run_group(Asker& asker, const Plan& plan) {
  int named = 0;
  const auto live = [&] {
    const std::string name = plan.topic + "-" + std::to_string(++named);
    asker.await_coordinator(name);
    return Group(plan, name).live();
  };
  using Clock = std::chrono::steady_clock;
  const auto warm = Clock::now() + std::chrono::duration<double>(plan.warm_s);
  do {
    live();
  } while (Clock::now() < warm);
  tell("measuring");
  std::vector<double> stable;
  std::vector<double> joined;
  std::vector<double> left;
  for (int each = 0; each < kGroupLives; ++each) {
    const Group::Times times = live();
    stable.push_back(times.stable_ms);
    joined.push_back(times.joined_ms);
    left.push_back(times.left_ms);
  }
  tell("measured");
  std::printf("{\"stable_ms\": %.3f, \"joined_ms\": %.3f, \"left_ms\": %.3f}\n", median(stable),
              median(joined), median(left));
}

}  // namespace

void run(Plan plan) {
  if (plan.topic.empty()) plan.topic = "load-" + std::to_string(::getpid());
  Asker asker(plan);
  asker.make_topic(plan);
  switch (plan.kind) {
    case Kind::produce:
    case Kind::transactions:
      return run_produce(asker, plan);
    case Kind::consume:
      return run_consume(asker, plan);
    case Kind::follow:
      return run_follow(asker, plan);
    case Kind::cold:
      return run_cold(asker, plan);
    case Kind::group:
      return run_group(asker, plan);
  }
}

}  // namespace tailwater::load
