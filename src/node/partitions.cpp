#include "node/partitions.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/plant.hpp"
#include "base/prefetch.hpp"
#include "node/storage_options.hpp"
#include "records/batch.hpp"
#include "records/recompress.hpp"

namespace tailwater::node {

namespace {

log::StorageOptions with_places(log::StorageOptions options, const Context& context) {
  options.place_of = [&context](const log::LogIdentity& log) -> std::optional<DirId> {
    const auto topic = context.image->topic(log.topic_id);
    const cluster::Partition* partition = topic ? topic->partition(log.partition) : nullptr;
    const cluster::Replica* replica =
        partition != nullptr ? partition->replica_on(context.options.broker) : nullptr;
    if (replica == nullptr || replica->log != log.id) return std::nullopt;
    return context.image->dir_of(*replica);
  };
  return options;
}
// Coordinators read their logs whole before they serve (decision 0016); less than this is read at once.
constexpr std::uint32_t kShortFromBytes = std::uint32_t{1} << 20;

}  // namespace

Partitions::Partitions(Context& context, log::StorageOptions options)
    : context_(context),
      broker_config_(
          cluster::effective_broker_config(context.options.config, *context.image, context.options.broker)),
      storage_(with_places(std::move(options), context)) {
  configure_storage();
}

void Partitions::configure_storage() {
  storage_.set_producer_expiration_ms(broker_config_.producer_id_expiration_ms);
  storage_.set_compaction(compaction_map_bytes(broker_config_, context_.options.shards),
                          compaction_interval(broker_config_));
}

Partitions::~Partitions() = default;

PartitionState* Partitions::find(const PartitionKey& key) {
  const auto topic = topics_.find(key.topic_id);
  if (topic == topics_.end()) return nullptr;
  const auto& partitions = topic->second.partitions;
  const std::int32_t index = key.partition.value;
  if (index < 0 || static_cast<std::size_t>(index) >= partitions.size()) return nullptr;
  return partitions[static_cast<std::size_t>(index)].get();
}

// --- following the metadata

log::LogConfig Partitions::log_config(const TopicState& topic) const {
  const cluster::TopicConfig& config = topic.config;
  const auto clamp32 = [](std::int64_t value) {
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 0, INT32_MAX));
  };
  return {.segment_bytes = clamp32(config.segment_bytes),
          .segment_ms = config.segment_ms,
          .segment_jitter_ms = config.segment_jitter_ms,
          .segment_index_bytes = clamp32(config.segment_index_bytes),
          .index_interval_bytes = clamp32(config.index_interval_bytes),
          .retention_ms = config.retention_ms,
          .retention_bytes = config.retention_bytes,
          .file_delete_delay_ms = config.file_delete_delay_ms,
          .compact = config.cleanup_compact,
          .remove = config.cleanup_delete,
          .min_cleanable_dirty_millionths = config.min_cleanable_dirty_millionths,
          .min_compaction_lag_ms = config.min_compaction_lag_ms,
          .max_compaction_lag_ms = config.max_compaction_lag_ms,
          .delete_retention_ms = config.delete_retention_ms,
          .record_bytes_max = config.max_decompressed_message_bytes,
          .short_from_bytes = topic.topic->is_internal() ? kShortFromBytes : 0,
          .log_append_time = config.timestamp_type == cluster::TimestampType::log_append_time,
          .os_durable = config.durability == cluster::Durability::os,
          .flush_messages = config.flush_messages,
          .flush_ms = config.flush_ms};
}

void Partitions::configure(TopicState& topic) {
  topic.config = cluster::effective_topic_config(topic.topic->configs, broker_config_);
  const cluster::TopicConfig& config = topic.config;
  const bool append_time = config.timestamp_type == cluster::TimestampType::log_append_time;
  topic.rules = {
      .zstd_allowed = true,
      .batch_bytes_max = static_cast<std::size_t>(std::max<std::int64_t>(config.max_message_bytes, 0)),
      .segment_bytes = static_cast<std::size_t>(std::max<std::int64_t>(config.segment_bytes, 0)),
      .compacted = config.cleanup_compact,
      .timestamp_type =
          append_time ? records::TimestampType::log_append_time : records::TimestampType::create_time,
      .timestamp_before_ms_max = config.timestamp_before_max_ms,
      .timestamp_after_ms_max = config.timestamp_after_max_ms,
      // Whether a record is too large is only seen when the batch is opened.
      .decompress = config.max_decompressed_message_bytes < records::kRecordBytesUnbounded,
      .record_bytes_max = config.max_decompressed_message_bytes};
}

void Partitions::open_log(PartitionState& partition) {
  const cluster::Topic& topic = *partition.topic->topic;
  const cluster::Partition& meta = topic.partitions[static_cast<std::size_t>(partition.partition.value)];
  const cluster::Replica* replica = meta.replica_on(context_.options.broker);
  CHECK(replica != nullptr);
  const auto name = [&] { return topic.name + "-" + std::to_string(partition.partition.value); };
  partition.epoch = meta.leader_epoch;
  partition.log = storage_.find(replica->log);
  if (planted(Plant::replay_onto_recreated_topic) && partition.log == nullptr) {
    for (log::Log* each : storage_.logs()) {
      const bool alike =
          each->identity().topic == topic.name && each->identity().partition == partition.partition;
      if (alike && each->attachment == nullptr) partition.log = each;
    }
  }
  const log::LogConfig config = log_config(*partition.topic);
  const auto dir = context_.image->dir_of(*replica);
  if (partition.log != nullptr && dir && partition.log->identity().dir != *dir) {
    // What a copy holds is not what was acknowledged last.
    context_.note(LogLevel::error, "the log of " + name() + " in " +
                                       context_.options.log_dirs[partition.log->identity().dir.value] +
                                       " is a copy and not served: it belongs to " +
                                       context_.options.log_dirs[dir->value]);
    partition.log = nullptr;
    return;
  }
  if (partition.log == nullptr) {
    if (!dir) homeless_.push_back(name());
    if (!dir || storage_.report(*dir).state == log::DirState::offline) return;
    auto made = storage_.create({.id = replica->log,
                                 .topic_id = topic.id,
                                 .topic = topic.name,
                                 .partition = partition.partition,
                                 .dir = *dir},
                                config);
    if (!made) {
      context_.note(LogLevel::error, "cannot create the log of " + name() + ": " + made.error().message);
      return;
    }
    partition.log = *made;
  } else {
    storage_.set_config(*partition.log, config);
  }
  partition.log->attachment = &partition;
  storage_.begin_epoch(*partition.log, partition.epoch);
}

void Partitions::add_partitions(TopicEntry& entry) {
  const cluster::Topic& topic = *entry.state->topic;
  for (std::size_t index = entry.partitions.size(); index < topic.partitions.size(); ++index) {
    const PartitionId id{static_cast<std::int32_t>(index)};
    entry.partitions.emplace_back();
    if (!context_.is_self(context_.home_of(topic, id))) continue;
    if (topic.partitions[index].replica_on(context_.options.broker) == nullptr) continue;
    entry.partitions.back() = std::make_unique<PartitionState>();
    PartitionState& partition = *entry.partitions.back();
    partition.topic = entry.state;
    partition.partition = id;
    open_log(partition);
  }
}

void Partitions::add_topic(const cluster::TopicHandle& topic) {
  TopicEntry& entry = topics_[topic->id];
  entry.state = std::make_shared<TopicState>();
  entry.state->topic = topic;
  configure(*entry.state);
  add_partitions(entry);
}

void Partitions::update_topic(const cluster::TopicHandle& topic) {
  TopicEntry& entry = topics_.at(topic->id);
  entry.state->topic = topic;
  configure(*entry.state);
  const log::LogConfig config = log_config(*entry.state);
  for (const auto& partition : entry.partitions) {
    if (!partition || partition->log == nullptr) continue;
    storage_.set_config(*partition->log, config);
    const auto& meta = topic->partitions[static_cast<std::size_t>(partition->partition.value)];
    if (meta.leader_epoch == partition->epoch) continue;
    partition->epoch = meta.leader_epoch;
    storage_.begin_epoch(*partition->log, meta.leader_epoch);
    partition->watches.fire(told);
  }
  add_partitions(entry);
}

void Partitions::drop(PartitionState& partition, ErrorCode error) {
  while (!partition.produced.empty()) {
    auto& waiting = partition.produced.front();
    waiting.result.error = error;
    waiting.result.base_offset = -1;
    answers.push_back({waiting.asker, std::move(waiting.result)});
    partition.produced.pop();
  }
  drop_transactions(partition, error);
  partition.watches.fire(told);
  std::erase(advanced, &partition);
}

void Partitions::remove_topic(const cluster::Topic& topic) {
  const auto at = topics_.find(topic.id);
  if (at == topics_.end()) return;
  for (const auto& partition : at->second.partitions) {
    if (!partition) continue;
    drop(*partition, ErrorCode::unknown_topic_or_partition);
    if (partition->log == nullptr) continue;
    partition->log->attachment = nullptr;
    storage_.remove(partition->log->id());
  }
  topics_.erase(at);
}

const log::Log* Partitions::newer_than(const cluster::MetadataImage& image) const {
  const auto logs = storage_.logs();
  const auto newer =
      std::ranges::find_if(logs, [&](const log::Log* log) { return log->id().value >= image.next_log_id; });
  return newer != logs.end() ? *newer : nullptr;
}

void Partitions::adopt(const cluster::MetadataImage& image) {
  for (const auto& topic : image.topics) add_topic(topic);
  std::vector<LogId> unknown;
  for (const log::Log* log : storage_.logs()) {
    const cluster::Partition* known = nullptr;
    if (const auto topic = image.topic(log->identity().topic_id))
      known = topic->partition(log->identity().partition);
    // A log of a partition that lives on another shard now is nobody's to remove.
    if (log->attachment == nullptr && known == nullptr) unknown.push_back(log->id());
  }
  for (const LogId id : unknown) storage_.remove(id);
  tell_of_homeless();
}

void Partitions::apply(const cluster::MetadataImage& before, const cluster::MetadataImage& after) {
  if (&before.default_broker_configs() != &after.default_broker_configs() ||
      before.broker_configs(context_.options.broker) != after.broker_configs(context_.options.broker) ||
      before.default_broker_configs() != after.default_broker_configs()) {
    reconfigure();
  }
  for (const cluster::TopicChange& change : cluster::changed_topics(before, after)) {
    if (!change.after) {
      remove_topic(*change.before);
    } else if (!change.before) {
      add_topic(change.after);
    } else {
      update_topic(change.after);
    }
  }
  tell_of_homeless();
}

void Partitions::reconfigure() {
  broker_config_ =
      cluster::effective_broker_config(context_.options.config, *context_.image, context_.options.broker);
  configure_storage();
  reconfigured = true;
  for (auto& [id, entry] : topics_) {
    configure(*entry.state);
    const log::LogConfig config = log_config(*entry.state);
    for (const auto& partition : entry.partitions) {
      if (partition && partition->log != nullptr) storage_.set_config(*partition->log, config);
    }
  }
}

// --- produce

void Partitions::refuse(const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask, ErrorCode error,
                        std::string message) {
  (void)terms;
  ProduceResult result{.part = ask.part, .error = error};
  result.message = std::move(message);
  answers.push_back({asker, std::move(result)});
}

namespace {

ErrorCode code_of(records::RejectReason reason) {
  switch (reason) {
    case records::RejectReason::not_one_batch:
      return ErrorCode::invalid_record;
    case records::RejectReason::unsupported_format:
      return ErrorCode::invalid_record;
    case records::RejectReason::unsupported_codec:
      return ErrorCode::unsupported_compression_type;
    case records::RejectReason::too_large:
      return ErrorCode::message_too_large;
    case records::RejectReason::beyond_segment:
      return ErrorCode::record_list_too_large;
    case records::RejectReason::corrupt:
      return ErrorCode::corrupt_message;
    case records::RejectReason::invalid_record:
      return ErrorCode::invalid_record;
    case records::RejectReason::invalid_timestamp:
      return ErrorCode::invalid_timestamp;
  }
  return ErrorCode::unknown_server_error;
}

ErrorCode code_of(log::AppendRefusal refusal) {
  switch (refusal) {
    case log::AppendRefusal::storage:
      return ErrorCode::kafka_storage_error;
    case log::AppendRefusal::invalid_producer_epoch:
      return ErrorCode::invalid_producer_epoch;
    case log::AppendRefusal::out_of_order_sequence:
      return ErrorCode::out_of_order_sequence_number;
    case log::AppendRefusal::invalid_txn_state:
      return ErrorCode::invalid_txn_state;
    case log::AppendRefusal::too_large:
      return ErrorCode::record_list_too_large;
    case log::AppendRefusal::held_back:
      return ErrorCode::request_timed_out;  // never: what is held back waits
    case log::AppendRefusal::out_of_order_offset:
      return ErrorCode::unknown_server_error;
  }
  return ErrorCode::unknown_server_error;
}

records::Codec codec_of(cluster::CompressionChoice choice, records::Codec of_producer) {
  switch (choice) {
    case cluster::CompressionChoice::producer:
      return of_producer;
    case cluster::CompressionChoice::uncompressed:
      return records::Codec::none;
    case cluster::CompressionChoice::gzip:
      return records::Codec::gzip;
    case cluster::CompressionChoice::snappy:
      return records::Codec::snappy;
    case cluster::CompressionChoice::lz4:
      return records::Codec::lz4;
    case cluster::CompressionChoice::zstd:
      return records::Codec::zstd;
  }
  return of_producer;
}

}  // namespace

void Partitions::expect(std::span<const ProduceAsk> asks) {
  // One alone gains nothing: its places are waited for one after the other all the same.
  if (asks.size() < 2) return;
  expected_.clear();
  expected_logs_.clear();
  for (const ProduceAsk& ask : asks) {
    const PartitionState* const partition = find(ask.key);
    if (partition == nullptr) continue;
    prefetch(partition, sizeof *partition);
    expected_.push_back(partition);
  }
  for (const PartitionState* partition : expected_) {
    if (partition->log != nullptr) expected_logs_.push_back(partition->log);
  }
  log::approach(expected_logs_);
}

void Partitions::expect(std::span<const FetchAsk> asks) {
  if (asks.size() < 2) return;
  expected_.clear();
  expected_reads_.clear();
  for (const FetchAsk& ask : asks) {
    const PartitionState* const partition = find(ask.key);
    if (partition != nullptr) prefetch(partition, sizeof *partition);
    expected_.push_back(partition);
  }
  for (std::size_t index = 0; index < asks.size(); ++index) {
    if (expected_[index] == nullptr || expected_[index]->log == nullptr) continue;
    expected_reads_.push_back({expected_[index]->log, Offset{asks[index].offset}});
  }
  log::approach(expected_reads_);
}

void Partitions::produce(const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask) {
  // The order of a connection's batches must hold: behind one that waits, all wait.
  if (!deferred_.empty() || held_back()) {
    deferred_.push_back({asker, terms, ask});
    return;
  }
  produce_now(asker, terms, ask);
}

void Partitions::resume(const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask) {
  if (returned_ == 0 && !held_back()) return produce_now(asker, terms, ask);
  const auto place = deferred_.begin() + static_cast<std::ptrdiff_t>(returned_);
  deferred_.insert(place, {asker, terms, ask});
  ++returned_;
}

void Partitions::retry_deferred() {
  while (!deferred_marks_.empty() && !held_back()) {
    const auto [asker, call] = deferred_marks_.front();
    deferred_marks_.pop_front();
    mark_now(asker, call);
  }
  while (!deferred_.empty() && !held_back()) {
    const Deferred next = deferred_.front();
    deferred_.pop_front();
    if (returned_ > 0) --returned_;
    produce_now(next.asker, next.terms, next.ask);
  }
}

void Partitions::produce_now(const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask) {
  PartitionState* partition = find(ask.key);
  if (partition == nullptr) return refuse(asker, terms, ask, ErrorCode::unknown_topic_or_partition);
  if (partition->log == nullptr) return refuse(asker, terms, ask, ErrorCode::kafka_storage_error);
  TopicState& topic = *partition->topic;
  if (topic.topic->is_internal() && !terms.internal_allowed) {
    return refuse(asker, terms, ask, ErrorCode::invalid_topic_exception,
                  "The request attempted to perform an operation on an invalid topic.");
  }
  records::ProduceRules rules = topic.rules;
  rules.zstd_allowed = terms.version >= 7;
  if (topic.config.compression != cluster::CompressionChoice::producer &&
      ask.records.size() >= records::kBatchHeaderSize) {
    const records::BatchView view(ask.records);
    rules.decompress |= view.codec() != codec_of(topic.config.compression, view.codec());
  }
  auto info = records::validate_for_produce(ask.records, rules, context_.now.wall, &codecs_);
  if (!info) {
    ProduceResult result{.part = ask.part, .error = code_of(info.error().reason)};
    result.message = std::move(info.error().message);
    for (auto& record : info.error().records)
      result.record_errors.emplace_back(record.index, std::move(record.message));
    answers.push_back({asker, std::move(result)});
    return;
  }
  if (info->transactional && !admit(*partition, asker, terms, ask, *info)) return;
  append(*partition, asker, terms, ask, *info);
}

std::optional<int> Partitions::level_of(const TopicState& topic, records::Codec codec) {
  switch (codec) {
    case records::Codec::gzip:
      return topic.config.gzip_level;
    case records::Codec::lz4:
      return topic.config.lz4_level;
    case records::Codec::zstd:
      return topic.config.zstd_level;
    default:
      return std::nullopt;
  }
}

Result<Bytes> Partitions::rewritten(const TopicState& topic, Bytes records, records::BatchInfo& info) {
  const records::Codec wanted = codec_of(topic.config.compression, info.codec);
  if (wanted != info.codec || info.wrong_offset_deltas) {
    scratch_.clear();
    const records::BatchView came(records);
    const std::size_t cap = records::decompressed_cap(came.records().size(), topic.rules.record_bytes_max);
    const auto done = records::recompress(
        came, {.codec = wanted, .level = level_of(topic, wanted), .cap = cap}, codecs_, scratch_);
    if (!done) return std::unexpected(done.error());
    const records::BatchView batch(scratch_);
    info.size = scratch_.size();
    info.codec = wanted;
    info.records_count = batch.records_count();
    info.last_offset_delta = batch.last_offset_delta();
    info.max_timestamp = batch.max_timestamp();
    return Bytes(scratch_);
  }
  if (info.wrong_max_timestamp) {
    scratch_.assign(records.begin(), records.end());
    records::set_max_timestamp(scratch_, info.max_timestamp);
    return Bytes(scratch_);
  }
  return records;
}

void Partitions::append(PartitionState& partition, const Asker& asker, const ProduceTerms& terms,
                        const ProduceAsk& ask, records::BatchInfo info) {
  const auto bytes = rewritten(*partition.topic, ask.records, info);
  if (!bytes) {
    return refuse(asker, terms, ask, ErrorCode::invalid_record, bytes.error().message);
  }
  if (bytes->size() > partition.topic->rules.batch_bytes_max) {
    return refuse(asker, terms, ask, ErrorCode::message_too_large,
                  "the record batch, as the topic's compression makes it, is larger than max.message.bytes");
  }
  const auto appended =
      storage_.append(*partition.log, *bytes, info, {.epoch = partition.epoch}, context_.now);
  if (!appended && appended.error() == log::AppendRefusal::held_back) {
    deferred_.push_front({asker, terms, ask});
    ++returned_;
    return;
  }
  if (!appended) return refuse(asker, terms, ask, code_of(appended.error()));
  if (info.transactional) {  // from here on the log says that it is open
    std::erase_if(partition.verifications, [&](const PartitionState::Verification& each) {
      return each.granted && each.producer.id == info.producer_id;
    });
    std::erase_if(partition.unvouched,
                  [&](const auto& each) { return each.producer.id == info.producer_id; });
  }
  messages_in += static_cast<std::uint64_t>(info.records_count);
  bytes_in += bytes->size();
  ProduceResult result{.part = ask.part,
                       .error = ErrorCode::none,
                       .base_offset = appended->base.value,
                       .append_time_ms = appended->append_time.ms,
                       .log_start_offset = partition.log->start_offset().value};
  if (terms.acks == 0 || appended->last < partition.log->durable_end()) {
    answers.push_back({asker, std::move(result)});
    return;
  }
  partition.produced.push({asker, appended->last, std::move(result)});
}

void Partitions::answer_durable(PartitionState& partition) {
  const Offset durable = partition.log->durable_end();
  while (!partition.produced.empty() && partition.produced.front().last < durable) {
    auto& waiting = partition.produced.front();
    answers.push_back({waiting.asker, std::move(waiting.result)});
    partition.produced.pop();
  }
}

void Partitions::take_news() {
  tell_of_room();
  for (log::Log* log : storage_.changed()) {
    auto* partition = static_cast<PartitionState*>(log->attachment);
    if (partition == nullptr) continue;
    answer_durable(*partition);
    answer_marked(*partition);
    partition->watches.fire(told);
    advanced.push_back(partition);
  }
  for (const std::string& fault : storage_.take_faults()) context_.note(LogLevel::warning, fault);
  for (const DirId dir : storage_.failed()) {
    const std::string& path = context_.options.log_dirs[dir.value];
    context_.note(LogLevel::error,
                  "log directory " + path + " is offline: " + storage_.report(dir).failure.message);
    for (std::uint32_t shard = 0; shard < context_.options.shards; ++shard)
      context_.send(ShardId{shard}, OfflineMail{dir});
    for (log::Log* log : storage_.logs()) {
      auto* partition = static_cast<PartitionState*>(log->attachment);
      if (partition != nullptr && log->identity().dir == dir)
        drop(*partition, ErrorCode::kafka_storage_error);
    }
  }
}

bool Partitions::held_back() const {
  for (std::size_t dir = 0; dir < context_.options.log_dirs.size(); ++dir) {
    if (storage_.held_back(DirId{static_cast<std::uint32_t>(dir)})) return true;
  }
  return false;
}

void Partitions::tell_of_room() {
  for (std::uint32_t index = 0; index < context_.options.log_dirs.size(); ++index) {
    const DirId dir{index};
    const log::DirState state = storage_.report(dir).state;
    const std::string& path = context_.options.log_dirs[index];
    if (state == log::DirState::full && full_.insert(dir).second) {
      context_.note(LogLevel::warning,
                    "log directory " + path +
                        " is full: producers wait until its disk has room again, and so does a "
                        "clean stop; consumers go on");
    } else if (state == log::DirState::online && full_.erase(dir) > 0) {
      context_.note(LogLevel::warning, "log directory " + path + " has room again");
    }
  }
}

void Partitions::tell_of_homeless() {
  if (homeless_.empty()) return;
  const std::string others = homeless_.size() == 1
                                 ? " lies"
                                 : " and " + std::to_string(homeless_.size() - 1) + " more partitions lie";
  context_.note(LogLevel::error,
                homeless_.front() + others +
                    " in a log directory that is not here, and cannot be served: mount its disk, or put "
                    "it back into log.dirs");
  homeless_.clear();
}

// --- fetch

ErrorCode Partitions::check_epoch(const PartitionState& partition, std::int32_t current_leader_epoch) const {
  if (current_leader_epoch < 0) return ErrorCode::none;
  if (current_leader_epoch < partition.epoch.value) return ErrorCode::fenced_leader_epoch;
  if (current_leader_epoch > partition.epoch.value) return ErrorCode::unknown_leader_epoch;
  return ErrorCode::none;
}

std::optional<log::ReadTicket> Partitions::fetch(ShardId from, const FetchTerms& terms, const FetchAsk& ask,
                                                 FetchPart& part, std::vector<Bytes>& pieces) {
  part.part = ask.part;
  part.target = ask.target;
  part.owner = context_.self();
  PartitionState* partition = find(ask.key);
  if (partition == nullptr) {
    part.error = ErrorCode::unknown_topic_or_partition;
    return std::nullopt;
  }
  if (partition->log == nullptr) {
    part.error = ErrorCode::kafka_storage_error;
    return std::nullopt;
  }
  part.error = check_epoch(*partition, ask.current_leader_epoch);
  if (part.error != ErrorCode::none) return std::nullopt;
  log::Log& log = *partition->log;
  part.high_watermark = partition->high_watermark();
  part.last_stable_offset = std::min(part.high_watermark, log.first_unstable_offset().value);
  part.log_start_offset = log.start_offset().value;

  if (ask.last_fetched_epoch >= 0) {
    const log::EpochEnd end = log.end_offset_for(LeaderEpoch{ask.last_fetched_epoch});
    if (end.epoch.value < 0) {
      part.error = ErrorCode::offset_out_of_range;
      return std::nullopt;
    }
    if (end.epoch.value < ask.last_fetched_epoch || end.end.value < ask.offset) {
      part.diverging = end;
      return std::nullopt;
    }
  }
  const std::int64_t upper = terms.read_committed ? part.last_stable_offset : part.high_watermark;
  if (ask.offset > part.high_watermark || ask.offset < part.log_start_offset) {
    part.error = ErrorCode::offset_out_of_range;
    return std::nullopt;
  }
  part.at_end = ask.offset >= upper;
  std::optional<log::ReadTicket> wait;
  if (!part.at_end) wait = read(log, terms, ask, Offset{upper}, part, pieces);
  const bool enough =
      part.bytes > 0 && part.countable >= static_cast<std::uint64_t>(std::max(terms.min_bytes, 1));
  if (terms.watch && !enough && part.error == ErrorCode::none) {
    part.watched = partition->watches.add({from, terms.session, ask.target});
  }
  return wait;
}

namespace {

// Kafka counts what is there up to what the partition may give, whether whole batches fill that or not; and
// it keeps nobody waiting who is not yet in the newest segment.
std::uint64_t countable_bytes(const log::ReadPlan& plan, const FetchAsk& ask) {
  constexpr std::uint64_t kPlenty = INT32_MAX;  // whatever min_bytes is
  if (plan.more_segments) return kPlenty;
  const bool more = plan.more || plan.kind == log::ReadPlan::Kind::need;
  return more ? std::max<std::uint64_t>(plan.bytes, static_cast<std::uint64_t>(std::max(ask.bytes_max, 0)))
              : plan.bytes;
}

}  // namespace

std::optional<log::ReadTicket> Partitions::read(log::Log& log, const FetchTerms& terms, const FetchAsk& ask,
                                                Offset upper, FetchPart& part, std::vector<Bytes>& pieces) {
  part.first_piece = static_cast<std::uint32_t>(pieces.size());
  const log::ReadPlan plan =
      storage_.plan_read(log,
                         {.from = Offset{ask.offset},
                          .bytes_max = static_cast<std::size_t>(std::max(ask.bytes_max, 0)),
                          .upper_bound = upper,
                          .at_least_one_batch = ask.at_least_one_batch},
                         pieces);
  part.countable = countable_bytes(plan, ask);
  switch (plan.kind) {
    case log::ReadPlan::Kind::hot:
      part.pieces = static_cast<std::uint32_t>(pieces.size()) - part.first_piece;
      part.bytes = plan.bytes;
      part.pin = plan.pin;
      if (terms.read_committed) {
        storage_.aborted_transactions(log, Offset{ask.offset}, plan.next, part.aborted);
      }
      break;
    case log::ReadPlan::Kind::need:
      return plan.ticket;
    case log::ReadPlan::Kind::at_end:
      break;
    case log::ReadPlan::Kind::out_of_range:
      part.error = ErrorCode::offset_out_of_range;
      break;
    case log::ReadPlan::Kind::failed:
      part.error = ErrorCode::kafka_storage_error;
      break;
    case log::ReadPlan::Kind::corrupt:
      part.error = ErrorCode::corrupt_message;
      break;
  }
  return std::nullopt;
}

void Partitions::unwatch(const PartitionKey& key, const Watch& watch) {
  if (PartitionState* partition = find(key)) partition->watches.drop(watch);
}

// --- calls

Partitions::QueryOutcome Partitions::query(const OffsetQuery& query) {
  QueryOutcome outcome;
  PartitionAnswer& answer = outcome.answer;
  PartitionState* partition = find({query.topic_id, query.partition});
  if (partition == nullptr || partition->log == nullptr) {
    answer.error =
        partition == nullptr ? ErrorCode::unknown_topic_or_partition : ErrorCode::kafka_storage_error;
    return outcome;
  }
  answer.error = check_epoch(*partition, query.current_leader_epoch);
  if (answer.error != ErrorCode::none) return outcome;
  log::Log& log = *partition->log;
  const std::int64_t high_watermark = partition->high_watermark();
  const std::int64_t upper =
      query.read_committed ? std::min(high_watermark, log.first_unstable_offset().value) : high_watermark;
  answer.leader_epoch = partition->epoch.value;
  switch (query.timestamp) {
    case special_timestamp::kLatest:
      answer.offset = upper;
      return outcome;
    case special_timestamp::kEarliest:
    case special_timestamp::kEarliestLocal:
      answer.offset = log.start_offset().value;
      answer.leader_epoch = log.start_epoch().value;
      return outcome;
    case special_timestamp::kLatestTiered:
    case special_timestamp::kEarliestPendingUpload:  // nothing is tiered here
      answer.leader_epoch = -1;
      return outcome;
    default:
      break;
  }
  const log::TimestampAnswer found =
      query.timestamp == special_timestamp::kLargest
          ? storage_.max_timestamp(log, Offset{upper})
          : storage_.find_timestamp(log, WallTime{query.timestamp}, Offset{upper});
  answer.leader_epoch = -1;
  switch (found.kind) {
    case log::TimestampAnswer::Kind::found:
      answer.offset = found.offset.value;
      answer.timestamp = found.timestamp.ms;
      answer.leader_epoch = found.epoch.value;
      break;
    case log::TimestampAnswer::Kind::none:
      break;
    case log::TimestampAnswer::Kind::need:
      outcome.wait = found.ticket;
      break;
    case log::TimestampAnswer::Kind::failed:
      answer.error = ErrorCode::kafka_storage_error;
      break;
    case log::TimestampAnswer::Kind::corrupt:
      answer.error = ErrorCode::corrupt_message;
      break;
  }
  return outcome;
}

Partitions::QueryOutcome Partitions::query(const EpochQuery& query) {
  QueryOutcome outcome;
  PartitionState* partition = find({query.topic_id, query.partition});
  if (partition == nullptr || partition->log == nullptr) {
    outcome.answer.error =
        partition == nullptr ? ErrorCode::unknown_topic_or_partition : ErrorCode::kafka_storage_error;
    return outcome;
  }
  outcome.answer.error = check_epoch(*partition, query.current_leader_epoch);
  if (outcome.answer.error != ErrorCode::none) return outcome;
  const log::EpochEnd end = partition->log->end_offset_for(LeaderEpoch{query.leader_epoch});
  outcome.answer.leader_epoch = end.epoch.value;
  outcome.answer.offset = end.end.value;
  return outcome;
}

Partitions::DeleteRecordsOutcome Partitions::query(DeleteRecordsQuery& query) {
  const auto refused = [](ErrorCode error) { return DeleteRecordsOutcome{.answer = {.error = error}}; };
  PartitionState* partition = find({query.topic_id, query.partition});
  if (partition == nullptr) return refused(ErrorCode::unknown_topic_or_partition);
  if (partition->log == nullptr) return refused(ErrorCode::kafka_storage_error);
  log::Log& log = *partition->log;
  if (storage_.report(log.identity().dir).state == log::DirState::offline)
    return refused(ErrorCode::kafka_storage_error);
  if (!partition->topic->config.cleanup_delete) return refused(ErrorCode::policy_violation);
  const std::int64_t high_watermark = partition->high_watermark();
  if (query.before == -1) query.before = high_watermark;
  if (query.before < 0 || query.before > high_watermark) return refused(ErrorCode::offset_out_of_range);
  const Offset before{query.before};
  storage_.set_log_start(log, before);
  return {.answer = {.error = ErrorCode::none, .offset = log.start_offset().value},
          .settled = log.durable_start() >= before};
}

LogSizesAnswer Partitions::sizes() const {
  LogSizesAnswer answer;
  each([&](const PartitionState& partition) {
    answer.logs.push_back({partition.topic->topic->id, partition.partition, partition.log->identity().dir,
                           partition.log->size_bytes()});
  });
  return answer;
}

}  // namespace tailwater::node
