// `tailwater consume`: records of topics to standard output.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "apps/cli/consume_output.hpp"
#include "apps/cli/consumer.hpp"
#include "apps/cli/interrupt.hpp"
#include "apps/cli/kafka_client.hpp"
#include "apps/cli/offset_range.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/time_text.hpp"
#include "apps/commands.hpp"

namespace tailwater::apps {

namespace cli {

namespace {

constexpr std::chrono::milliseconds kPatience{100};
// CORRUPT_MESSAGE, which librdkafka would ask for again and again.
constexpr const char* kDamaged =
    "CORRUPT_MESSAGE: the next records are damaged on the broker's disk; its log names file and offset, and "
    "-o goes "
    "on behind them";

struct ConsumeOptions {
  Settings settings;
  std::vector<std::string> topics;
  std::string group;
  std::vector<std::string> range;
  std::string tail;
  std::vector<std::string> partitions;
  std::int64_t count = 0;
  bool to_end = false;
  std::string format;
  RecordFilter::Conditions conditions;
  bool meta_only = false;
  std::vector<std::string> overrides;

  RecordParts parts() const { return meta_only ? RecordParts::without_content : RecordParts::all; }
  // --format json is -f json unless a format was given.
  std::string record_format() const { return format.empty() && settings.json() ? "json" : format; }
};

Result<OffsetRange> range_of(const ConsumeOptions& options) {
  std::vector<std::string> words = options.range;
  if (!options.tail.empty()) words.push_back("-" + options.tail);
  auto range = parse_offset_ranges(words, unix_now_ms());
  if (!range) return range;
  const bool ends_only =
      range->from.kind == OffsetPoint::Kind::start || range->from.kind == OffsetPoint::Kind::end;
  if (!options.group.empty() && (!ends_only || range->until || !options.partitions.empty())) {
    return fail(
        Errc::invalid_argument,
        "with -g the group says which partitions and offsets are read; -o start or -o end hold where it has "
        "none yet, and `tailwater group seek` moves it");
  }
  return range;
}

Result<KafkaConfig> config_of(const ConsumeOptions& options, const OffsetRange& range) {
  KafkaConfig config;
  config.set("enable.partition.eof", "true");
  config.set("allow.auto.create.topics", "false");
  // An offset that is deleted while it is being read: go on with what is left.
  config.set("auto.offset.reset", range.from.kind == OffsetPoint::Kind::end ? "latest" : "earliest");
  config.set("enable.auto.offset.store", "false");
  // The broker holds back the news of a partition's end for so long; whoever follows has time.
  const bool bounded = options.to_end || options.count > 0 || range.until;
  config.set("fetch.wait.max.ms", bounded ? "20" : "500");
  if (!options.group.empty()) config.set("group.id", options.group);
  config.set("enable.auto.commit", options.group.empty() ? "false" : "true");
  if (auto applied = config.apply(options.settings, options.overrides); !applied) {
    return std::unexpected(applied.error());
  }
  return config;
}

// Reads until nothing is left to read, enough was shown, or the user or the reader of the output had enough.
class Reading {
 public:
  Reading(Consumer& consumer, RecordFilter filter, RecordWriter writer, const ConsumeOptions& options)
      : consumer_(consumer), filter_(std::move(filter)), writer_(std::move(writer)), options_(options) {}

  // Where there is an end to come to, a partition of which nothing is heard for `patience` must answer, or it is a failure.
  void follow(const std::vector<PartitionPlan>& plans, std::chrono::milliseconds patience) {
    for (const PartitionPlan& plan : plans) open_[plan.partition] = {plan.first_shown, plan.until};
    member_ = false;
    patience_ = patience;
  }

  int run() {
    while (!done_ && !interrupted() && (member_ || !open_.empty())) {
      auto message = consumer_.next(std::chrono::milliseconds(0));
      if (!message) {
        if (!flush()) break;
        message = consumer_.next(kPatience);
      }
      if (message) {
        heard_ = Clock::now();
        take(*message);
      } else if (!member_ && Clock::now() - heard_ > patience_) {
        look_at_the_silent();
      }
      if (writer_.is_full() && !flush()) break;
    }
    flush();
    return failed_ ? kExitFailed : kExitDone;
  }

 private:
  using Clock = std::chrono::steady_clock;

  // librdkafka goes on asking, without a word, where a broker has the partition's log directory offline.
  void look_at_the_silent() {
    for (const auto& [partition, open] : open_) {
      if (!options_.to_end && !open.until) continue;
      std::int64_t low = 0;
      std::int64_t high = 0;
      const auto error =
          rd_kafka_query_watermark_offsets(consumer_.client(), partition.topic.c_str(), partition.partition,
                                           &low, &high, static_cast<int>(patience_.count()));
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
      complain(
          fmt::format("{}: nothing came for {} ms, and its offsets cannot be asked for: {}; the broker's log "
                      "says why, if its log directory is offline",
                      to_string(partition), patience_.count(), rd_kafka_err2str(error)));
      failed_ = true;
      done_ = true;
      return;
    }
    heard_ = Clock::now();
  }

  void take(const rd_kafka_message_t& message) {
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      take_end({rd_kafka_topic_name(message.rkt), message.partition}, message.offset);
    } else if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      take_error(message);
    } else {
      take_record(message);
    }
  }

  void take_record(const rd_kafka_message_t& message) {
    RecordView record = view_of(message, writer_.needs_headers() || filter_.needs_headers());
    const TopicPartition partition{std::string(record.topic), record.partition};
    if (member_) {
      ended_.erase(partition);
    } else {
      const auto open = open_.find(partition);
      if (open == open_.end()) return;  // fetched before its partition was stopped
      if (record.offset < open->second.first_shown) return;
      const std::optional<std::int64_t> until = open->second.until;
      if (until && record.offset + 1 >= *until) {
        const bool beyond = record.offset >= *until;
        open_.erase(open);
        consumer_.stop(partition);
        if (beyond) return;
      }
    }
    if (filter_.shows(record)) {
      if (writer_.needs_watermarks()) {
        rd_kafka_get_watermark_offsets(consumer_.client(), partition.topic.c_str(), partition.partition,
                                       &record.log_start, &record.high_watermark);
      }
      writer_.write(record);
      ++shown_;
      done_ = options_.count > 0 && shown_ >= options_.count;
    }
    if (member_) processed_[partition] = record.offset;
  }

  void take_end(const TopicPartition& partition, std::int64_t offset) {
    if (member_) {
      ended_.insert(partition);
      done_ = done_ || (options_.to_end && consumer_.all_ended(ended_));
      return;
    }
    const auto open = open_.find(partition);
    if (open == open_.end()) return;
    // The last records before the wanted end may be markers, which are not shown: the end itself tells.
    const std::optional<std::int64_t>& until = open->second.until;
    const bool reached = options_.to_end || (until && offset >= *until);
    if (!reached) return;
    open_.erase(open);
    consumer_.stop(partition);
  }

  void take_error(const rd_kafka_message_t& message) {
    const bool of_partition = message.rkt != nullptr && message.partition >= 0;
    const std::string where =
        message.rkt == nullptr
            ? ""
            : fmt::format("{}: ", of_partition ? to_string(TopicPartition{rd_kafka_topic_name(message.rkt),
                                                                          message.partition})
                                               : rd_kafka_topic_name(message.rkt));
    complain(where +
             (message.err == RD_KAFKA_RESP_ERR_INVALID_MSG ? kDamaged : rd_kafka_message_errstr(&message)));
    switch (message.err) {
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      case RD_KAFKA_RESP_ERR_INVALID_MSG:
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      case RD_KAFKA_RESP_ERR__FATAL:
        failed_ = true;
        done_ = true;
        break;
      default:
        break;  // it goes on by itself
    }
  }

  // What was written to the end counts as processed.
  bool flush() {
    const bool written = writer_.flush();
    done_ = done_ || !written;
    if (written) {
      for (const auto& [partition, offset] : processed_) consumer_.processed(partition, offset);
    }
    processed_.clear();
    return written;
  }

  Consumer& consumer_;
  RecordFilter filter_;
  RecordWriter writer_;
  const ConsumeOptions& options_;
  bool member_ = true;
  struct Open {
    std::int64_t first_shown = 0;
    std::optional<std::int64_t> until;
  };
  std::map<TopicPartition, Open> open_;
  std::set<TopicPartition> ended_;                    // member: nothing more there for now
  std::map<TopicPartition, std::int64_t> processed_;  // member: since the last flush
  std::chrono::milliseconds patience_{};
  Clock::time_point heard_ = Clock::now();
  std::int64_t shown_ = 0;
  bool done_ = false;
  bool failed_ = false;
};

Result<std::vector<TopicPartition>> chosen_partitions(const ConsumeOptions& options,
                                                      std::vector<TopicPartition> all) {
  if (options.partitions.empty()) return all;
  const auto numbers = parse_partitions(options.partitions);
  if (!numbers) return std::unexpected(numbers.error());
  std::set<std::int32_t> found;
  std::erase_if(all, [&](const TopicPartition& each) {
    const bool chosen = std::ranges::find(*numbers, each.partition) != numbers->end();
    if (chosen) found.insert(each.partition);
    return !chosen;
  });
  for (const std::int32_t number : *numbers) {
    if (!found.contains(number))
      return fail(Errc::invalid_argument, fmt::format("there is no partition {}", number));
  }
  return all;
}

Result<int> consume(const ConsumeOptions& options) {
  if (options.count < 0) return fail(Errc::invalid_argument, "-n is 1 or more, or 0 for no limit");
  const auto range = range_of(options);
  if (!range) return std::unexpected(range.error());
  auto filter = RecordFilter::make(options.conditions);
  if (!filter) return std::unexpected(filter.error());
  auto writer = RecordWriter::make(options.record_format(), options.parts());
  if (!writer) return std::unexpected(writer.error());
  const auto timeout = options.settings.timeout_time();
  if (!timeout) return std::unexpected(timeout.error());
  auto config = config_of(options, *range);
  if (!config) return std::unexpected(config.error());
  const auto topics =
      look_up_topics(options.settings, options.overrides, options.topics, MissingTopic::refuse);
  if (!topics) return std::unexpected(topics.error());
  watch_for_interrupt();
  const bool member = !options.group.empty();
  auto consumer =
      member ? Consumer::make_member(std::move(*config), options.topics) : Consumer::make(std::move(*config));
  if (!consumer) return std::unexpected(consumer.error());
  Reading reading(**consumer, std::move(*filter), std::move(*writer), options);
  if (member) return reading.run();

  std::vector<TopicPartition> all;
  for (const auto& topic : *topics) {
    for (const auto& partition : topic.partitions)
      all.push_back({topic.name.value_or(""), partition.partition_index});
  }
  if (topics->empty()) {
    auto asked = partitions_through((*consumer)->client(), options.topics, *timeout);
    if (!asked) return std::unexpected(asked.error());
    all = std::move(*asked);
  }
  const auto partitions = chosen_partitions(options, std::move(all));
  if (!partitions) return std::unexpected(partitions.error());
  const AtEnd at_end = options.to_end ? AtEnd::stop : AtEnd::wait;
  const auto plans = plan_partitions((*consumer)->client(), *partitions, *range, at_end, *timeout);
  if (!plans) return std::unexpected(plans.error());
  (*consumer)->start(*plans);
  reading.follow(*plans, *timeout);
  return reading.run();
}

void describe(Command& command, ConsumeOptions& options) {
  command.arguments("TOPIC", options.topics, "Topics to read.").required();
  command.repeated("-o,--offset", options.range, "RANGE",
                   "Where to begin and end, in every partition; start unless given.");
  command.option("-n", options.count, "N", "End after N records; 0: no limit.");
  command.flag("-e", options.to_end, "End at the last record, instead of waiting for more.");
  command.option("-f", options.format, "FORMAT",
                 "How records are shown: a format, or json, raw, hex; %v\\n unless given.");
  command.option("-g,--group", options.group, "GROUP",
                 "Read as a member of this group, and commit what was read.");
  command.repeated("-p,--partition", options.partitions, "N", "Only these: 3, 0-3 or 0,2,5.");
  command.option("--tail", options.tail, "N", "Begin N records before the end of each partition; as -o -N.");
  command.option("--key", options.conditions.key, "REGEX", "Only records whose key matches.");
  command.option("--grep", options.conditions.value, "REGEX", "Only records whose value matches.");
  command.repeated("--header", options.conditions.headers, "KEY[=REGEX]", "Only records with such a header.");
  command.flag("--meta-only", options.meta_only, "Sizes instead of keys, values and headers.");
  add_overrides(command, options.overrides);
  add_settings(command, options.settings);
}

}  // namespace

}  // namespace cli

void add_consume_command(Command& tailwater) {
  Command consume = tailwater.command("consume", "Show the records of topics.", "Topics and records");
  auto options = std::make_shared<cli::ConsumeOptions>();
  cli::describe(consume, *options);
  consume.examples(
      "RANGE: start, end, N, N:M (M is not read), :N, :end, +N (after the start), -N (before the end),\n"
      "  @TIME, @TIME:TIME, @:TIME; times are 2026-03-01, 2026-03-01T10:00:00Z, -1h, or milliseconds.\n"
      "FORMAT: %k key, %v value, %t topic, %p partition, %o offset, %d timestamp, %h{%k=%v } headers, %K %V "
      "%H sizes;\n"
      "  {hex} {base64} {unpack[...]} behind a text, {big32} {hex8} ... behind a number,\n"
      "  %d{strftime[%F %T]} %d{rfc3339}; \\n \\t \\xNN.\n\n"
      "  tailwater consume hello                               everything, then wait for more\n"
      "  tailwater consume hello -o -10 -e                     the last ten of each partition\n"
      "  tailwater consume orders -o @-1h -f '%d{rfc3339} %k %v\\n'\n"
      "  tailwater consume orders -g billing --format json");
  consume.action([options] { return cli::finish(cli::consume(*options)); });
}

}  // namespace tailwater::apps
