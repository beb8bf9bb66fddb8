// `tailwater produce`: records from standard input, or from a template, into a topic.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include "apps/cli/interrupt.hpp"
#include "apps/cli/json_output.hpp"
#include "apps/cli/kafka_client.hpp"
#include "apps/cli/produce_input.hpp"
#include "apps/cli/producer.hpp"
#include "apps/cli/progress.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/time_text.hpp"
#include "apps/commands.hpp"

namespace tailwater::apps {

namespace cli {

namespace {

using std::chrono::steady_clock;

struct ProduceOptions {
  Settings settings{.timeout = "30s"};
  std::string topic;
  std::string format;
  std::string input = "lines";
  std::string pattern;  // of --template
  std::vector<std::string> key;
  std::vector<std::string> headers;
  std::string partition;
  std::string codec;
  std::string acks = "all";
  std::int64_t count = 0;
  double rate = 0;
  bool tombstones = false;
  bool quiet = false;
  std::vector<std::string> overrides;
};

// What the command line says of every record.
struct Constants {
  std::optional<std::string> key;
  std::vector<InputRecord::Header> headers;
  std::optional<std::int32_t> partition;
  bool let_partitioner_choose = false;
  bool tombstones = false;

  void apply(InputRecord& record) const {
    if (key) record.key = key;
    record.headers.insert(record.headers.end(), headers.begin(), headers.end());
    if (partition) record.partition = partition;
    if (let_partitioner_choose) record.partition.reset();
    if (tombstones && record.value && record.value->empty()) record.value.reset();
  }
};

Result<void> check(const ProduceOptions& options) {
  const auto refuse = [](const char* why) { return fail(Errc::invalid_argument, why); };
  const bool made = !options.pattern.empty();
  if (options.key.size() > 1) return refuse("-k can be given once");
  if (options.count < 0) return refuse("--count is 1 or more");
  if (options.rate < 0) return refuse("--rate is a number of records per second");
  if (made && (!options.format.empty() || options.input != "lines")) {
    return refuse("--template makes the records; there is nothing to read with -f or -i");
  }
  if (made && options.count == 0 && options.rate == 0) {
    return refuse("--template goes on for ever: give --count N, or --rate N to go on until Ctrl-C");
  }
  if (!options.format.empty() && options.input == "json")
    return refuse("-i json has its own form; leave -f out");
  return {};
}

Result<Constants> constants_of(const ProduceOptions& options) {
  Constants constants;
  if (!options.key.empty()) constants.key = options.key.front();
  for (const std::string& word : options.headers) {
    const std::size_t equals = word.find('=');
    InputRecord::Header header{word.substr(0, equals), std::nullopt};
    if (equals != std::string::npos) header.value = word.substr(equals + 1);
    constants.headers.push_back(std::move(header));
  }
  constants.tombstones = options.tombstones;
  if (options.partition == "-1") {
    constants.let_partitioner_choose = true;
  } else if (!options.partition.empty()) {
    if (options.partition.size() > 9 ||
        options.partition.find_first_not_of("0123456789") != std::string::npos) {
      return fail(Errc::invalid_argument, "-p is the number of a partition, or -1 to let the key decide");
    }
    constants.partition = static_cast<std::int32_t>(std::stol(options.partition));
  }
  return constants;
}

Result<KafkaConfig> config_of(const ProduceOptions& options) {
  const auto timeout = options.settings.timeout_time();
  if (!timeout) return std::unexpected(timeout.error());
  KafkaConfig config;
  const bool all = options.acks == "all" || options.acks == "-1";
  config.set("acks", options.acks);
  config.set("enable.idempotence", all ? "true" : "false");
  // The partitioner of the Java client and of most others, so that a key goes where their records of it are.
  config.set("partitioner", "murmur2_random");
  config.set("message.timeout.ms", std::to_string(timeout->count()));
  // The broker knows how long a record may be.
  config.set("message.max.bytes", "134217728");
  config.set("queue.buffering.max.kbytes", "262144");
  if (!options.codec.empty()) config.set("compression.codec", options.codec);
  if (auto applied = config.apply(options.settings, options.overrides); !applied) {
    return std::unexpected(applied.error());
  }
  return config;
}

Result<void> check_partition(const ProduceOptions& options, const Constants& constants) {
  const auto topics =
      look_up_topics(options.settings, options.overrides, {options.topic}, MissingTopic::create);
  if (!topics) return std::unexpected(topics.error());
  if (!constants.partition || topics->empty()) return {};
  const std::size_t count = topics->front().partitions.size();
  if (static_cast<std::size_t>(*constants.partition) < count) return {};
  return fail(Errc::invalid_argument, fmt::format("{} has no partition {}; it has {}, counted from 0",
                                                  options.topic, *constants.partition, count));
}

Result<std::unique_ptr<RecordSource>> source_of(const ProduceOptions& options, std::function<bool()> idle) {
  if (!options.pattern.empty()) return template_source(options.pattern);
  ByteStream stream(file_source(STDIN_FILENO, std::move(idle)));
  if (options.input == "json") return json_source(std::move(stream));
  return format_source(options.format.empty() ? "%v\\n" : options.format, std::move(stream));
}

// Records at a steady pace: the n-th is due n/rate seconds after the first.
class Pace {
 public:
  explicit Pace(double rate) : rate_(rate), begun_(steady_clock::now()) {}

  // Waits for the turn of the record with this number. The producer is served meanwhile.
  void wait(std::int64_t number, Producer& producer) const {
    if (rate_ <= 0) return;
    const auto after = std::chrono::duration<double>(static_cast<double>(number) / rate_);
    const auto due = begun_ + std::chrono::duration_cast<steady_clock::duration>(after);
    while (!interrupted()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - steady_clock::now());
      if (left.count() <= 0) return;
      producer.serve(std::min(left, std::chrono::milliseconds(100)));
    }
  }

 private:
  double rate_;
  steady_clock::time_point begun_;
};

// Sends until the input ends, the count is reached or the user has enough. An error is of the input.
Result<void> send_all(const ProduceOptions& options, const Constants& constants, RecordSource& source,
                      Producer& producer, Progress& progress) {
  const Pace pace(options.rate);
  InputRecord record;
  while (!interrupted() && (options.count == 0 || producer.counts().sent < options.count)) {
    const auto more = source.next(record);
    if (!more) return std::unexpected(more.error());
    if (!*more) return {};
    pace.wait(producer.counts().sent, producer);
    constants.apply(record);
    producer.send(record);
    progress.show(producer.counts().delivered, producer.counts().bytes);
  }
  return {};
}

void print_summary(const ProduceOptions& options, const ProduceCounts& counts,
                   steady_clock::duration elapsed) {
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(elapsed);
  if (options.settings.json()) {
    json::array partitions;
    for (const auto& [number, partition] : counts.partitions) {
      json::object item{{"partition", number}, {"records", partition.records}};
      item["first_offset"] =
          partition.first_offset < 0 ? json::value(nullptr) : json::value(partition.first_offset);
      item["last_offset"] =
          partition.last_offset < 0 ? json::value(nullptr) : json::value(partition.last_offset);
      partitions.push_back(std::move(item));
    }
    print_json(json::object{{"topic", text(options.topic)},
                            {"records", counts.delivered},
                            {"bytes", counts.bytes},
                            {"failed", counts.failed},
                            {"milliseconds", time.count()},
                            {"partitions", std::move(partitions)}});
  }
  if (options.quiet) return;
  std::string line = fmt::format("{} {} to {}, {}, {}", grouped(counts.delivered),
                                 counts.delivered == 1 ? "record" : "records", options.topic,
                                 size_text(counts.bytes), duration_text(time));
  if (counts.failed > 0) line += fmt::format("; {} failed", grouped(counts.failed));
  fmt::print(stderr, "{}\n", line);
}

Result<int> produce(const ProduceOptions& options) {
  if (auto checked = check(options); !checked) return std::unexpected(checked.error());
  const auto constants = constants_of(options);
  if (!constants) return std::unexpected(constants.error());
  auto config = config_of(options);
  if (!config) return std::unexpected(config.error());
  Producer* serving = nullptr;
  const auto idle = [&serving] {
    if (serving != nullptr) serving->serve(std::chrono::milliseconds(0));
    return !interrupted();
  };
  auto source = source_of(options, idle);
  if (!source) return std::unexpected(source.error());
  if (auto checked = check_partition(options, *constants); !checked) return std::unexpected(checked.error());
  const auto begun = steady_clock::now();
  auto producer = Producer::make(std::move(*config), options.topic);
  if (!producer) return std::unexpected(producer.error());
  serving = producer->get();
  watch_for_interrupt();
  if (options.pattern.empty() && ::isatty(STDIN_FILENO) != 0) {
    fmt::print(stderr, "Type records, one a line; Ctrl-D ends.\n");
  }
  Progress progress;
  const auto outcome = send_all(options, *constants, **source, **producer, progress);
  (*producer)->flush();
  progress.clear();
  if (!outcome) complain(fmt::format("{}; what came before it was sent", outcome.error().message));
  print_summary(options, (*producer)->counts(), steady_clock::now() - begun);
  return outcome && (*producer)->counts().failed == 0 ? kExitDone : kExitFailed;
}

void describe(Command& command, ProduceOptions& options) {
  command.argument("TOPIC", options.topic, "Where the records go.").required();
  command.option("-f", options.format, "FORMAT",
                 "How to read records; %v\\n, a line each, unless said otherwise.");
  command
      .option("-i,--input", options.input, "lines|json",
              "json: objects as `tailwater consume -f json` prints them.")
      .one_of({"lines", "json"});
  command.option("--template", options.pattern, "TEXT",
                 "Make the values instead of reading them: 'event %i'.");
  command.repeated("-k,--key", options.key, "KEY", "The key of every record.");
  command.repeated("-H,--header", options.headers, "KEY=VALUE",
                   "A header of every record; KEY alone: without a value.");
  command.option("-p,--partition", options.partition, "N",
                 "The partition of every record; -1: the key decides, whatever the input says.");
  command.option("-z,--compress", options.codec, "CODEC", "gzip, snappy, lz4, zstd or none.")
      .one_of({"none", "gzip", "snappy", "lz4", "zstd"});
  command
      .option("--acks", options.acks, "all|1|0",
              "Whose receipt counts: all replicas in sync, the leader, nobody.")
      .one_of({"all", "-1", "1", "0"});
  command.option("--count", options.count, "N", "End after N records; 0: no limit.");
  command.option("--rate", options.rate, "N", "N records per second; 0: as fast as possible.");
  command.flag("-Z,--tombstone", options.tombstones, "An empty value is null.");
  command.flag("-q,--quiet", options.quiet, "No summary.");
  add_overrides(command, options.overrides);
  add_settings(command, options.settings);
}

}  // namespace

}  // namespace cli

void add_produce_command(Command& tailwater) {
  Command produce = tailwater.command("produce", "Send records to a topic.", "Topics and records");
  auto options = std::make_shared<cli::ProduceOptions>();
  cli::describe(produce, *options);
  produce.examples(
      "In FORMAT, %k stands for the key, %v for the value, %p %d for partition and timestamp (ms), %K %V "
      "for\n"
      "their sizes, %H %h{...} for headers; {hex}, {base64}, {json} behind a text, {big32} and the like "
      "behind a\n"
      "number say how it is written. \\t \\n \\xNN are what they are in C.\n\n"
      "  echo hi | tailwater produce hello\n"
      "  tailwater produce orders -f '%k\\t%v\\n' < orders.tsv\n"
      "  tailwater consume a -f json -e | tailwater produce b -i json -p -1\n"
      "  tailwater produce load --template 'event %i' --count 100000 -z zstd\n\n"
      "Exit code 1 if any record failed.");
  produce.action([options] { return cli::finish(cli::produce(*options)); });
}

}  // namespace tailwater::apps
