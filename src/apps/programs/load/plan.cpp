#include "programs/load/plan.hpp"

#include <charconv>
#include <cstring>

namespace tailwater::load {

namespace {

struct Scenario {
  std::string_view name;
  std::string_view what;
  void (*apply)(Plan& plan);
};

constexpr Scenario kScenarios[] = {
    {"a", "batches of 256 KiB of 1 KiB records, 6 partitions, 6 connections with 5 requests in flight",
     [](Plan& plan) {
       plan.records = 256;
       plan.record_bytes = 1024;
     }},
    {"a16", "the same in batches of 16 KiB",
     [](Plan& plan) {
       plan.records = 16;
       plan.record_bytes = 1024;
     }},
    {"b", "batches of 1,000 records of 100 bytes", [](Plan& plan) { plan.records = 1000; }},
    {"c", "one record of 100 bytes a request, 64 connections with one in flight",
     [](Plan& plan) {
       plan.connections = 64;
       plan.in_flight = 1;
     }},
    {"c5", "the same with five in flight", [](Plan& plan) { plan.connections = 64; }},
    {"d", "1,000 partitions, 100 connections with 2 in flight, ten batches of 4 x 256 bytes a request",
     [](Plan& plan) {
       plan.partitions = 1000;
       plan.connections = 100;
       plan.in_flight = 2;
       plan.batches = 10;
       plan.records = 4;
       plan.record_bytes = 256;
     }},
    {"d-paced", "the same at 10 MB/s",
     [](Plan& plan) {
       apply_scenario("d", plan);
       plan.megabytes_per_s = 10;
     }},
    {"j", "transactions of one record, 1 producer",
     [](Plan& plan) {
       plan.transactions = true;
       plan.connections = 1;
       plan.in_flight = 1;
     }},
    {"j16", "the same by 16 producers",
     [](Plan& plan) {
       apply_scenario("j", plan);
       plan.connections = 16;
     }},
};

constexpr std::string_view kUsage =
    "load: writes to a broker as fast as it answers, or at fixed times, at little cost of its own\n"
    "  --port N              of the broker; --host ADDRESS (127.0.0.1)\n"
    "  --scenario NAME       sets what follows; later words change it\n"
    "  --partitions N  --connections N  --in-flight N\n"
    "  --batches N           of a request, each for a partition of its own\n"
    "  --records N           of a batch; --record-bytes N of a record's value\n"
    "  --acks N              -1, 0 or 1\n"
    "  --rate MB             of values a second, at fixed times (0: as fast as answers come)\n"
    "  --transactions N      1: each batch in a transaction of its own, one in flight\n"
    "  --seconds S  --warm S  --topic NAME\n"
    "It prints one line of JSON. Latencies count from the time at which a request was to be sent.\n";

template <class Number>
bool read(std::string_view word, Number& number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc{} && end == word.data() + word.size();
}

bool read_option(std::string_view option, const std::string& word, Plan& plan) {
  if (option == "--scenario") return apply_scenario(word, plan);
  if (option == "--host") return (plan.host = word, true);
  if (option == "--topic") return (plan.topic = word, true);
  if (option == "--port") return read(word, plan.port);
  if (option == "--partitions") return read(word, plan.partitions) && plan.partitions > 0;
  if (option == "--connections") return read(word, plan.connections) && plan.connections > 0;
  if (option == "--in-flight") return read(word, plan.in_flight) && plan.in_flight > 0;
  if (option == "--batches") return read(word, plan.batches) && plan.batches > 0;
  if (option == "--records") return read(word, plan.records) && plan.records > 0;
  if (option == "--record-bytes") return read(word, plan.record_bytes);
  if (option == "--acks") return read(word, plan.acks) && plan.acks >= -1 && plan.acks <= 1 && plan.acks != 0;
  if (option == "--transactions")
    return word == "0" || word == "1" ? (plan.transactions = word == "1", true) : false;
  if (option == "--rate") return read(word, plan.megabytes_per_s) && plan.megabytes_per_s >= 0;
  if (option == "--seconds") return read(word, plan.seconds) && plan.seconds > 0;
  if (option == "--warm") return read(word, plan.warm_s) && plan.warm_s >= 0;
  return false;
}

}  // namespace

bool apply_scenario(std::string_view name, Plan& plan) {
  for (const Scenario& scenario : kScenarios) {
    if (scenario.name != name) continue;
    scenario.apply(plan);
    return true;
  }
  return false;
}

std::string scenario_help() {
  std::string text = "Scenarios:\n";
  for (const Scenario& scenario : kScenarios) {
    text += "  " + std::string(scenario.name) + std::string(9 - scenario.name.size(), ' ') +
            std::string(scenario.what) + "\n";
  }
  return text;
}

std::optional<Refusal> parse(int count, const char* const* words, Plan& plan) {
  for (int at = 1; at < count; at += 2) {
    const std::string option = words[at];
    if (option == "--help") return Refusal{std::string(kUsage) + scenario_help(), 0};
    if (at + 1 >= count || !read_option(option, words[at + 1], plan)) {
      return Refusal{"load: " + option + (at + 1 < count ? " " + std::string(words[at + 1]) : "") +
                         " is not understood; see --help\n",
                     2};
    }
  }
  if (plan.port == 0) return Refusal{"load: --port is missing; see --help\n", 2};
  if (plan.transactions && (plan.in_flight > 1 || plan.batches > 1))
    return Refusal{"load: a producer has one transaction at a time, of one batch\n", 2};
  if (plan.batches > plan.partitions) return Refusal{"load: more batches than partitions\n", 2};
  return std::nullopt;
}

}  // namespace tailwater::load
