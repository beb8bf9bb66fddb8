#include "programs/load/plan.hpp"

#include <charconv>
#include <cstring>
#include <utility>

namespace tailwater::load {

namespace {

struct Scenario {
  std::string_view name;
  std::string_view what;
  void (*apply)(Plan& plan);
};

void batches(std::uint32_t records, std::uint32_t record_bytes, Plan& plan) {
  plan.records = records;
  plan.record_bytes = record_bytes;
}

void connections(std::uint32_t count, std::uint32_t in_flight, Plan& plan) {
  plan.connections = count;
  plan.in_flight = in_flight;
}

// One consumer reads what another scenario writes.
void with_reader(std::string_view written, Kind kind, std::uint32_t preload_mb, Plan& plan) {
  apply_scenario(written, plan);
  plan.kind = kind;
  plan.consumers = 1;
  plan.preload_mb = preload_mb;
}

void follow(double megabytes_per_s, Plan& plan) {
  with_reader("a16", Kind::follow, 0, plan);
  plan.megabytes_per_s = megabytes_per_s;
}

void compress(records::Codec codec, Plan& plan) {
  apply_scenario("b", plan);
  plan.codec = codec;
}

constexpr Scenario kScenarios[] = {
    {"a", "batches of 256 KiB of 1 KiB records, 6 partitions, 6 connections with 5 requests in flight",
     [](Plan& plan) { batches(256, 1024, plan); }},
    {"a16", "the same in batches of 16 KiB", [](Plan& plan) { batches(16, 1024, plan); }},
    {"b", "batches of 1,000 records of 100 bytes", [](Plan& plan) { batches(1000, 100, plan); }},
    {"c", "one record of 100 bytes a request, 64 connections with one in flight",
     [](Plan& plan) { connections(64, 1, plan); }},
    {"c5", "the same with five in flight", [](Plan& plan) { connections(64, 5, plan); }},
    {"d", "1,000 partitions, 100 connections with 2 in flight, ten batches of 4 x 256 bytes a request",
     [](Plan& plan) {
       plan.partitions = 1000;
       plan.batches = 10;
       connections(100, 2, plan);
       batches(4, 256, plan);
     }},
    {"d-paced", "the same at 10 MB/s",
     [](Plan& plan) {
       apply_scenario("d", plan);
       plan.megabytes_per_s = 10;
     }},
    {"e", "a consumer reads the last 192 MB of 6 partitions round and round, 1 MiB of each in an answer",
     [](Plan& plan) { with_reader("a16", Kind::consume, 192, plan); }},
    {"e5", "five such consumers, each on its own",
     [](Plan& plan) {
       apply_scenario("e", plan);
       plan.consumers = 5;
     }},
    {"e2", "a consumer of 1,000 partitions, one batch of 4 x 256 bytes of each in an answer",
     [](Plan& plan) {
       with_reader("d", Kind::consume, 96, plan);
       plan.partition_bytes = 1200;
     }},
    {"f", "a16 at half of its pace, beside a consumer of 2 GB that no memory holds (--evict)",
     [](Plan& plan) { with_reader("a16", Kind::cold, 2000, plan); }},
    {"g5", "from a producer to a consumer: batches of 16 KiB at 5 MB/s over 6 partitions",
     [](Plan& plan) { follow(5, plan); }},
    {"g50", "the same at 50 MB/s", [](Plan& plan) { follow(50, plan); }},
    {"g150", "the same at 150 MB/s", [](Plan& plan) { follow(150, plan); }},
    {"g1000", "from producers to a consumer of 1,000 partitions: d-paced",
     [](Plan& plan) { with_reader("d-paced", Kind::follow, 0, plan); }},
    {"group", "100 members of a group come at once, then one more, then one leaves",
     [](Plan& plan) {
       plan.kind = Kind::group;
       plan.consumers = 100;
     }},
    {"k-gzip", "compressed batches of 1,000 records of 100 bytes",
     [](Plan& plan) { compress(records::Codec::gzip, plan); }},
    {"k-snappy", "the same", [](Plan& plan) { compress(records::Codec::snappy, plan); }},
    {"k-lz4", "the same", [](Plan& plan) { compress(records::Codec::lz4, plan); }},
    {"k-zstd", "the same", [](Plan& plan) { compress(records::Codec::zstd, plan); }},
    {"j", "transactions of one record, 1 producer",
     [](Plan& plan) {
       plan.kind = Kind::transactions;
       connections(1, 1, plan);
     }},
    {"j16", "the same by 16 producers",
     [](Plan& plan) {
       apply_scenario("j", plan);
       connections(16, 1, plan);
     }},
};

constexpr std::string_view kUsage =
    "load: writes to a broker and reads from it as fast as it answers, or at fixed times, at little cost\n"
    "  --port N              of the broker; --host ADDRESS (127.0.0.1)\n"
    "  --scenario NAME       sets what follows; later words change it\n"
    "  --partitions N  --connections N  --in-flight N\n"
    "  --batches N           of a request, each for a partition of its own\n"
    "  --records N           of a batch; --record-bytes N of a record's value\n"
    "  --acks N              -1, 0 or 1\n"
    "  --rate MB             of values a second, at fixed times (0: as fast as answers come)\n"
    "  --codec NAME          none, gzip, snappy, lz4 or zstd: of the batches, whose values are text then\n"
    "  --kind NAME           produce, transactions (each batch in one, one in flight),\n"
    "                        consume (what --preload wrote, round and round), follow (what connections\n"
    "                        write), cold (connections at half of their pace beside one that reads),\n"
    "                        group (consumers are its members, and come and go)\n"
    "  --consumers N         each reads all partitions\n"
    "  --partition-bytes N   of a partition in an answer to Fetch\n"
    "  --preload MB          of values, before anything is measured\n"
    "  --evict DIR           the broker's folder on this machine: what is read cold there leaves the page "
    "cache\n"
    "  --seconds S  --warm S  --topic NAME\n"
    "It prints one line of JSON. Latencies count from the time at which a request was to be sent; of "
    "follow,\n"
    "to the time at which its batch came back.\n";

constexpr std::pair<std::string_view, Kind> kKinds[] = {
    {"produce", Kind::produce}, {"transactions", Kind::transactions},
    {"consume", Kind::consume}, {"follow", Kind::follow},
    {"cold", Kind::cold},       {"group", Kind::group}};
constexpr std::pair<std::string_view, records::Codec> kCodecs[] = {{"none", records::Codec::none},
                                                                   {"gzip", records::Codec::gzip},
                                                                   {"snappy", records::Codec::snappy},
                                                                   {"lz4", records::Codec::lz4},
                                                                   {"zstd", records::Codec::zstd}};

template <class Table, class Value>
bool pick(const Table& table, std::string_view word, Value& value) {
  for (const auto& [name, each] : table) {
    if (name == word) return (value = each, true);
  }
  return false;
}

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
  if (option == "--kind") return pick(kKinds, word, plan.kind);
  if (option == "--codec") return pick(kCodecs, word, plan.codec);
  if (option == "--consumers") return read(word, plan.consumers);
  if (option == "--partition-bytes") return read(word, plan.partition_bytes) && plan.partition_bytes > 0;
  if (option == "--preload") return read(word, plan.preload_mb);
  if (option == "--evict") return (plan.evict = word, true);
  if (option == "--rate") return read(word, plan.megabytes_per_s) && plan.megabytes_per_s >= 0;
  if (option == "--seconds") return read(word, plan.seconds) && plan.seconds > 0;
  if (option == "--warm") return read(word, plan.warm_s) && plan.warm_s >= 0;
  return false;
}

// What cannot be done; null if nothing is.
const char* contradiction(const Plan& plan) {
  const bool has_consumers = plan.kind == Kind::consume || plan.kind == Kind::follow ||
                             plan.kind == Kind::cold || plan.kind == Kind::group;
  if (plan.kind == Kind::transactions && (plan.in_flight > 1 || plan.batches > 1))
    return "a producer has one transaction at a time, of one batch";
  if (plan.batches > plan.partitions) return "more batches than partitions";
  if (has_consumers != (plan.consumers > 0))
    return "consumers are for the kinds that have some, and need them";
  if ((plan.kind == Kind::consume || plan.kind == Kind::cold) && plan.preload_mb == 0)
    return "nothing is there to read; see --preload";
  // Otherwise nobody knows which batch has which offset.
  if (plan.kind == Kind::follow && plan.connections * plan.batches != plan.partitions)
    return "each partition must be written by one connection, once in a request";
  return nullptr;
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
  if (const char* problem = contradiction(plan)) return Refusal{"load: " + std::string(problem) + "\n", 2};
  return std::nullopt;
}

}  // namespace tailwater::load
