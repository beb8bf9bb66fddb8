// Reading the changelog and its snapshots, and writing snapshots.
#include "core/cluster/changelog.hpp"

#include <utility>

namespace tailwater::cluster {

namespace {

constexpr std::size_t kEntriesPerRead = 256;

// Log ids of so many replicas go into one record, so that no record comes near the size of an entry.
constexpr std::size_t kLogsPerRecord = 4096;

class SnapshotWriter {
 public:
  SnapshotWriter(const MetadataImage& image, std::size_t chunk_bytes)
      : image_(image), author_{image.controller, image.controller_epoch, 0}, chunk_bytes_(chunk_bytes) {}

  std::vector<Buffer> write() {
    add(ClusterRecord{image_.cluster_id});
    add(HighMarksRecord{static_cast<std::int64_t>(image_.next_log_id)});
    for (const auto& [name, level] : image_.features) add(wire::FeatureLevelRecord{name, level});
    if (image_.next_producer_id > 0) {
      wire::ProducerIdsRecord ids;
      ids.next_producer_id = image_.next_producer_id;
      add(ids);
    }
    for (const auto& [id, broker] : image_.brokers) write_broker(*broker);
    for (const TopicHandle& topic : image_.topics) write_topic(*topic);
    for (const ResourceConfigsHandle& configs : image_.resources) {
      for (const auto& [name, value] : configs->values) {
        add(wire::ConfigRecord{static_cast<std::int8_t>(configs->type), configs->name, name, value});
      }
    }
    for (const KeptRecordHandle& kept : image_.kept) add_frame(kept->frame);
    chunks_.push_back(builder_.finish(author_));
    return std::move(chunks_);
  }

 private:
  void add(const Record& record) { add_frame(encode_record(record)); }
  void add_frame(const Buffer& frame) {
    if (builder_.count() > 0 &&
        builder_.size() + frame.size() + BatchBuilder::kFrameOverhead > chunk_bytes_) {
      chunks_.push_back(builder_.finish(author_));
    }
    builder_.add(frame);
  }

  void write_broker(const Broker& broker) {
    wire::RegisterBrokerRecord record;
    record.broker_id = broker.id.value;
    record.incarnation_id = broker.incarnation;
    record.broker_epoch = broker.epoch;
    for (const Endpoint& endpoint : broker.endpoints) {
      record.end_points.push_back(
          {endpoint.listener, endpoint.host, endpoint.port, endpoint.security_protocol});
    }
    record.rack = broker.rack;
    record.fenced = broker.fenced;
    record.in_controlled_shutdown = broker.in_controlled_shutdown;
    record.log_dirs = broker.log_dirs;
    add(std::move(record));
  }

  void write_topic(const Topic& topic) {
    add(wire::TopicRecord{topic.name, topic.id});
    for (const auto& [name, value] : topic.configs) {
      add(wire::ConfigRecord{static_cast<std::int8_t>(ResourceType::topic), topic.name, name, value});
    }
    ReplicaLogsRecord logs{topic.id, 0, {}};
    for (std::size_t index = 0; index < topic.partitions.size(); ++index) {
      const Partition& partition = topic.partitions[index];
      add(partition_record(topic, static_cast<std::int32_t>(index), partition));
      for (const Replica& replica : partition.replicas) logs.logs.push_back(replica.log.value);
      if (logs.logs.size() >= kLogsPerRecord) {
        add(std::exchange(logs, ReplicaLogsRecord{topic.id, static_cast<std::int32_t>(index) + 1, {}}));
      }
    }
    if (!logs.logs.empty()) add(std::move(logs));
  }

  static wire::PartitionRecord partition_record(const Topic& topic, std::int32_t index,
                                                const Partition& partition) {
    wire::PartitionRecord record;
    record.partition_id = index;
    record.topic_id = topic.id;
    for (const Replica& replica : partition.replicas) {
      record.replicas.push_back(replica.broker.value);
      record.directories.push_back(replica.directory);
    }
    for (const BrokerId id : partition.isr) record.isr.push_back(id.value);
    for (const BrokerId id : partition.adding) record.adding_replicas.push_back(id.value);
    for (const BrokerId id : partition.removing) record.removing_replicas.push_back(id.value);
    record.leader = partition.leader.value;
    record.leader_epoch = partition.leader_epoch.value;
    record.partition_epoch = partition.partition_epoch;
    return record;
  }

  const MetadataImage& image_;
  BatchAuthor author_;
  std::size_t chunk_bytes_;
  BatchBuilder builder_;
  std::vector<Buffer> chunks_;
};

}  // namespace

ChangelogReader::ChangelogReader(ImageHandle image) : image_(std::move(image)), last_read_(image_->version) {}

Result<void> ChangelogReader::add(const StoreEntry& entry) {
  if (broken_) return std::unexpected(*broken_);
  if (entry.version <= last_read_) return {};
  if (entry.version != last_read_.next()) {
    return fail(Errc::corrupt, "the metadata changelog lacks entry " + std::to_string(last_read_.value + 1));
  }
  const Result<RecordBatch> batch = decode_batch(entry.batch);
  if (!batch) {
    return fail(batch.error().code, "entry " + std::to_string(entry.version.value) +
                                        " of the metadata: " + batch.error().message);
  }
  if (Result<void> applied = apply(*batch); !applied) {
    broken_ = Error{applied.error().code, "entry " + std::to_string(entry.version.value) +
                                              " of the metadata: " + applied.error().message};
    return std::unexpected(*broken_);
  }
  last_read_ = entry.version;
  if (!inside_change_) {
    image_ = editor_->finish(entry.version, batch->author);
    editor_.reset();
  }
  return {};
}

Result<void> ChangelogReader::apply(const RecordBatch& batch) {
  if (!editor_) editor_.emplace(*image_);
  for (std::size_t at = 0; at < batch.records.size(); ++at) {
    const Record& record = batch.records[at];
    const bool begins = std::holds_alternative<wire::BeginTransactionRecord>(record);
    const bool aborts = std::holds_alternative<wire::AbortTransactionRecord>(record);
    const bool ends = std::holds_alternative<wire::EndTransactionRecord>(record);
    if (begins || aborts) {
      if (at != 0 || begins == inside_change_) {
        return fail(Errc::corrupt, "a change of several entries begins or is given up at the wrong place");
      }
      editor_.emplace(*image_);
      inside_change_ = begins;
    } else if (ends) {
      if (at + 1 != batch.records.size() || !inside_change_) {
        return fail(Errc::corrupt, "a change of several entries ends at the wrong place");
      }
      inside_change_ = false;
    } else if (Result<void> applied = editor_->apply(record); !applied) {
      return applied;
    }
  }
  return {};
}

std::vector<Buffer> write_snapshot(const MetadataImage& image, std::size_t chunk_bytes) {
  return SnapshotWriter(image, chunk_bytes).write();
}

Result<ImageHandle> read_snapshot(const SnapshotData& snapshot) {
  const MetadataImage empty;
  ImageEditor editor(empty);
  BatchAuthor author;
  for (const Buffer& chunk : snapshot.chunks) {
    const Result<RecordBatch> batch = decode_batch(chunk);
    if (!batch) return fail(batch.error().code, "the snapshot of the metadata: " + batch.error().message);
    author = batch->author;
    for (const Record& record : batch->records) {
      if (Result<void> applied = editor.apply(record); !applied) {
        return fail(applied.error().code, "the snapshot of the metadata: " + applied.error().message);
      }
    }
  }
  return editor.finish(snapshot.version, author);
}

Result<ChangelogReader> load_changelog(MetadataStore& store) {
  Result<std::optional<SnapshotData>> snapshot = store.get_snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  ImageHandle start = std::make_shared<const MetadataImage>();
  if (*snapshot) {
    Result<ImageHandle> image = read_snapshot(**snapshot);
    if (!image) return std::unexpected(image.error());
    start = *std::move(image);
  }
  ChangelogReader reader(std::move(start));
  while (true) {
    Result<std::vector<StoreEntry>> entries = store.read(reader.last_read().next(), kEntriesPerRead);
    if (!entries) return std::unexpected(entries.error());
    if (entries->empty()) return reader;
    for (const StoreEntry& entry : *entries) {
      if (Result<void> added = reader.add(entry); !added) return std::unexpected(added.error());
    }
  }
}

}  // namespace tailwater::cluster
