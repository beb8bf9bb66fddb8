#include "apps/cli/consumer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "apps/cli/bounded.hpp"

namespace tailwater::apps::cli {

namespace {

using Kind = OffsetPoint::Kind;

// To commit and to leave the group.
constexpr std::chrono::milliseconds kCloseTime{10'000};

int milliseconds(std::chrono::milliseconds time) {
  return static_cast<int>(std::min<std::int64_t>(time.count(), 3'600'000));
}

std::unexpected<Error> kafka_failure(std::string_view what, rd_kafka_resp_err_t code) {
  return fail(Errc::unavailable, fmt::format("{}: {}", what, rd_kafka_err2str(code)));
}

using AllWatermarks = std::map<TopicPartition, Watermarks>;

Result<AllWatermarks> query_watermarks(rd_kafka_t* client, const std::vector<TopicPartition>& partitions,
                                       std::chrono::milliseconds timeout) {
  AllWatermarks all;
  for (const TopicPartition& partition : partitions) {
    Watermarks& marks = all[partition];
    const auto code = rd_kafka_query_watermark_offsets(client, partition.topic.c_str(), partition.partition,
                                                       &marks.low, &marks.high, milliseconds(timeout));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failure(to_string(partition), code);
  }
  return all;
}

// For each partition the first offset at or after a time, or the end.
Result<std::map<TopicPartition, std::int64_t>> offsets_at(rd_kafka_t* client,
                                                          const std::vector<TopicPartition>& partitions,
                                                          std::int64_t time, const AllWatermarks& marks,
                                                          std::chrono::milliseconds timeout) {
  const KafkaOwner<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const TopicPartition& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)->offset =
        time;
  }
  const auto code = rd_kafka_offsets_for_times(client, list.get(), milliseconds(timeout));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failure("looking up times", code);
  std::map<TopicPartition, std::int64_t> offsets;
  for (int index = 0; index < list->cnt; ++index) {
    const rd_kafka_topic_partition_t& found = list->elems[index];
    const TopicPartition partition{found.topic, found.partition};
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failure(to_string(partition), found.err);
    offsets[partition] = found.offset >= 0 ? found.offset : marks.at(partition).high;
  }
  return offsets;
}

std::int64_t place_of(const OffsetPoint& point, const Watermarks& marks) {
  switch (point.kind) {
    case Kind::start:
      return marks.low;
    case Kind::end:
      return marks.high;
    case Kind::after_start:
      return marks.low + point.value;
    case Kind::before_end:
      return std::max(marks.low, marks.high - point.value);
    case Kind::exact:
      return point.value;
    case Kind::time:
      break;
  }
  return marks.low;
}

}  // namespace

PlacedPlan placed_within(PartitionPlan plan, const Watermarks& marks, AtEnd at_end) {
  const std::string name = to_string(plan.partition);
  PlacedPlan placed;
  if (plan.from < marks.low) {
    placed.note = fmt::format("{}: what was before offset {} is gone; beginning there", name, marks.low);
    plan.from = marks.low;
  } else if (plan.from > marks.high && (at_end == AtEnd::stop || plan.until)) {
    placed.note = fmt::format("{} ends at offset {}: there is no offset {} yet", name, marks.high, plan.from);
    return placed;
  } else if (plan.from > marks.high) {
    // Asked for an offset behind the end, librdkafka would begin at the start.
    placed.note = fmt::format("{} ends at offset {}; waiting for offset {}", name, marks.high, plan.from);
    plan.first_shown = plan.from;
    plan.from = marks.high;
  }
  if (!plan.until || plan.from < *plan.until) placed.plan = std::move(plan);
  return placed;
}

Result<std::vector<PartitionPlan>> plan_partitions(rd_kafka_t* client,
                                                   const std::vector<TopicPartition>& partitions,
                                                   const OffsetRange& range, AtEnd at_end,
                                                   std::chrono::milliseconds timeout) {
  std::vector<PartitionPlan> plans;
  const auto marks = query_watermarks(client, partitions, timeout);
  const bool special = range.from.kind == Kind::start || range.from.kind == Kind::end;
  if (!marks && special && !range.until) {
    // Some partition has no leader now; librdkafka waits for it.
    const std::int64_t from =
        range.from.kind == Kind::start ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
    for (const TopicPartition& partition : partitions)
      plans.push_back({.partition = partition, .from = from, .until = std::nullopt});
    return plans;
  }
  if (!marks) return std::unexpected(marks.error());
  std::map<TopicPartition, std::int64_t> from_times;
  std::map<TopicPartition, std::int64_t> until_times;
  if (range.from.kind == Kind::time) {
    auto found = offsets_at(client, partitions, range.from.value, *marks, timeout);
    if (!found) return std::unexpected(found.error());
    from_times = std::move(*found);
  }
  if (range.until && range.until->kind == Kind::time) {
    auto found = offsets_at(client, partitions, range.until->value, *marks, timeout);
    if (!found) return std::unexpected(found.error());
    until_times = std::move(*found);
  }
  for (const TopicPartition& partition : partitions) {
    const Watermarks& mark = marks->at(partition);
    PartitionPlan plan{.partition = partition, .from = 0, .until = std::nullopt};
    plan.from = from_times.empty() ? place_of(range.from, mark) : from_times.at(partition);
    if (range.until)
      plan.until = until_times.empty() ? place_of(*range.until, mark) : until_times.at(partition);
    PlacedPlan placed = placed_within(std::move(plan), mark, at_end);
    if (!placed.note.empty()) complain(placed.note);
    if (placed.plan) plans.push_back(std::move(*placed.plan));
  }
  return plans;
}

Result<std::vector<TopicPartition>> partitions_through(rd_kafka_t* client,
                                                       const std::vector<std::string>& topics,
                                                       std::chrono::milliseconds timeout) {
  std::vector<TopicPartition> partitions;
  for (const std::string& name : topics) {
    const KafkaOwner<rd_kafka_topic_t> topic(rd_kafka_topic_new(client, name.c_str(), nullptr));
    const rd_kafka_metadata_t* metadata = nullptr;
    const auto code = rd_kafka_metadata(client, 0, topic.get(), &metadata, milliseconds(timeout));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failure("the brokers do not answer", code);
    const std::unique_ptr<const rd_kafka_metadata_t, void (*)(const rd_kafka_metadata_t*)> owner(
        metadata, rd_kafka_metadata_destroy);
    for (int index = 0; index < metadata->topic_cnt; ++index) {
      const rd_kafka_metadata_topic_t& found = metadata->topics[index];
      if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failure(name, found.err);
      for (int each = 0; each < found.partition_cnt; ++each)
        partitions.push_back({name, found.partitions[each].id});
    }
  }
  std::ranges::sort(partitions);
  return partitions;
}

Result<std::unique_ptr<Consumer>> Consumer::make(KafkaConfig config) {
  auto client = config.make(RD_KAFKA_CONSUMER);
  if (!client) return std::unexpected(client.error());
  std::unique_ptr<Consumer> consumer(new Consumer);
  consumer->client_ = std::move(*client);
  consumer->queue_.reset(rd_kafka_queue_new(consumer->client()));
  return consumer;
}

Result<std::unique_ptr<Consumer>> Consumer::make_member(KafkaConfig config,
                                                        const std::vector<std::string>& topics) {
  auto client = config.make(RD_KAFKA_CONSUMER);
  if (!client) return std::unexpected(client.error());
  std::unique_ptr<Consumer> consumer(new Consumer);
  consumer->client_ = std::move(*client);
  rd_kafka_poll_set_consumer(consumer->client());
  const KafkaOwner<rd_kafka_topic_partition_list_t> list(
      rd_kafka_topic_partition_list_new(static_cast<int>(topics.size())));
  for (const std::string& topic : topics) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const auto code = rd_kafka_subscribe(consumer->client(), list.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka_failure("cannot subscribe", code);
  return consumer;
}

Consumer::~Consumer() {
  if (!queue_) {
    // Commits, and leaves the group.
    const auto close = [client = client_.get()] { rd_kafka_consumer_close(client); };
    if (ends_within(kCloseTime, close)) return;
    complain("the group could not be left in time; what was read last may not be committed");
    client_.release();  // it is still being closed
    return;
  }
  const std::set<TopicPartition> left = std::move(started_);
  started_.clear();
  for (const TopicPartition& partition : left) {
    rd_kafka_consume_stop(topics_.at(partition.topic).get(), partition.partition);
  }
  queue_.reset();
  topics_.clear();
}

void Consumer::start(const std::vector<PartitionPlan>& plans) {
  for (const PartitionPlan& plan : plans) {
    auto& topic = topics_[plan.partition.topic];
    if (!topic) topic.reset(rd_kafka_topic_new(client(), plan.partition.topic.c_str(), nullptr));
    if (rd_kafka_consume_start_queue(topic.get(), plan.partition.partition, plan.from, queue_.get()) != 0) {
      complain(fmt::format("{}: {}", to_string(plan.partition), rd_kafka_err2str(rd_kafka_last_error())));
      continue;
    }
    started_.insert(plan.partition);
  }
}

KafkaOwner<rd_kafka_message_t> Consumer::next(std::chrono::milliseconds patience) {
  if (!queue_)
    return KafkaOwner<rd_kafka_message_t>(rd_kafka_consumer_poll(client(), milliseconds(patience)));
  if (patience.count() > 0) rd_kafka_poll(client(), 0);
  return KafkaOwner<rd_kafka_message_t>(rd_kafka_consume_queue(queue_.get(), milliseconds(patience)));
}

void Consumer::stop(const TopicPartition& partition) {
  if (started_.erase(partition) == 0) return;
  rd_kafka_consume_stop(topics_.at(partition.topic).get(), partition.partition);
}

void Consumer::processed(const TopicPartition& partition, std::int64_t offset) {
  const KafkaOwner<rd_kafka_topic_partition_list_t> list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)->offset =
      offset + 1;
  // A partition that was taken away meanwhile is refused: its next owner reads the record again.
  rd_kafka_offsets_store(client(), list.get());
}

bool Consumer::all_ended(const std::set<TopicPartition>& ended) {
  rd_kafka_topic_partition_list_t* raw = nullptr;
  if (rd_kafka_assignment(client(), &raw) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  const KafkaOwner<rd_kafka_topic_partition_list_t> list(raw);
  for (int index = 0; index < list->cnt; ++index) {
    if (!ended.contains({list->elems[index].topic, list->elems[index].partition})) return false;
  }
  return list->cnt > 0;
}

RecordView view_of(const rd_kafka_message_t& message, bool with_headers) {
  const auto bytes = [](const void* data, std::size_t size) {
    return data == nullptr ? std::optional<std::string_view>()
                           : std::string_view(static_cast<const char*>(data), size);
  };
  RecordView view;
  view.topic = rd_kafka_topic_name(message.rkt);
  view.partition = message.partition;
  view.offset = message.offset;
  view.key = bytes(message.key, message.key_len);
  view.value = bytes(message.payload, message.len);
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, &type);
  if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) view.timestamp = timestamp;
  view.appended_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
  rd_kafka_headers_t* headers = nullptr;
  if (!with_headers || rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return view;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t index = 0;
       rd_kafka_header_get_all(headers, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++index) {
    view.headers.push_back({name, bytes(value, size)});
  }
  return view;
}

}  // namespace tailwater::apps::cli
