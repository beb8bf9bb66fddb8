// load: writes to a broker at little cost of its own, so that the broker and not the client is measured, and
// says how fast it was and how long requests took. Exit codes: 0 measured, 1 something broke, 2 usage.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <thread>

#include "programs/load/lanes.hpp"
#include "programs/load/plan.hpp"
#include "programs/load/requests.hpp"

namespace {

constexpr int kMarkerTries = 200;

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

void print(const tailwater::load::Plan& plan, const tailwater::load::Outcome& outcome, double cpu_s) {
  const double records = static_cast<double>(outcome.units) * plan.batches * plan.records;
  const double megabytes = records * plan.record_bytes / 1e6;
  std::printf(
      "{\"requests\": %llu, \"records\": %.0f, \"seconds\": %.3f, \"requests_per_s\": %.0f, "
      "\"records_per_s\": %.0f, \"mb_per_s\": %.2f, \"p50_us\": %.0f, \"p99_us\": %.0f, \"p999_us\": %.0f, "
      "\"max_us\": %.0f, \"client_cpu_s\": %.3f}\n",
      static_cast<unsigned long long>(outcome.units), records, outcome.seconds,
      static_cast<double>(outcome.units) / outcome.seconds, records / outcome.seconds,
      megabytes / outcome.seconds, outcome.latencies.quantile_us(0.5), outcome.latencies.quantile_us(0.99),
      outcome.latencies.quantile_us(0.999), outcome.latencies.max_us(), cpu_s);
}

int run(tailwater::load::Plan plan) {
  using namespace tailwater::load;
  if (plan.topic.empty()) plan.topic = "load-" + std::to_string(::getpid());
  Asker asker(plan);
  asker.make_topic(plan);
  const std::int64_t before = asker.records_in(plan);
  double cpu_s = 0;
  Lanes lanes(plan);
  const Outcome outcome = lanes.run(
      [&] {
        tell("measuring");
        cpu_s = own_cpu_s();
      },
      [&] {
        cpu_s = own_cpu_s() - cpu_s;
        tell("measured");
      });
  // A transaction's marker has an offset, too, and may be written after the answer.
  const std::int64_t unit = std::int64_t{plan.batches} * plan.records + (plan.transactions ? 1 : 0);
  const std::int64_t written = static_cast<std::int64_t>(outcome.acknowledged) * unit;
  std::int64_t found = asker.records_in(plan) - before;
  for (int tries = 0; tries < kMarkerTries && plan.transactions && found < written; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    found = asker.records_in(plan) - before;
  }
  if (found != written) {
    std::fprintf(stderr, "load: %lld records were acknowledged, %lld are there\n",
                 static_cast<long long>(written), static_cast<long long>(found));
    return 1;
  }
  print(plan, outcome, cpu_s);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  tailwater::load::Plan plan;
  if (const auto refusal = tailwater::load::parse(count, words, plan)) {
    std::fputs(refusal->text.c_str(), refusal->code == 0 ? stdout : stderr);
    return refusal->code;
  }
  try {
    return run(plan);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "load: %s\n", problem.what());
    return 1;
  }
}
