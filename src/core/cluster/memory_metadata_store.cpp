// The metadata store in memory.
#include "core/cluster/memory_metadata_store.hpp"

namespace tailwater::cluster {

Result<MetadataVersion> MemoryMetadataStore::head() {
  if (failure_) return std::unexpected(*failure_);
  return head_;
}

Result<MetadataVersion> MemoryMetadataStore::append(MetadataVersion expected_head, Bytes batch) {
  if (failure_) return std::unexpected(*failure_);
  if (batch.size() > kEntryBytesMax) return std::unexpected(entry_too_large(batch.size()));
  if (head_ != expected_head) return std::unexpected(wrong_head(expected_head, head_));
  head_ = head_.next();
  entries_.emplace(head_, Buffer(batch.begin(), batch.end()));
  if (on_change_) on_change_(head_);
  return head_;
}

Result<std::vector<StoreEntry>> MemoryMetadataStore::read(MetadataVersion first, std::size_t entries_max) {
  if (failure_) return std::unexpected(*failure_);
  std::vector<StoreEntry> found;
  if (first <= head_ && !entries_.contains(first)) return std::unexpected(entry_forgotten(first));
  for (auto at = entries_.lower_bound(first); at != entries_.end() && found.size() < entries_max; ++at) {
    found.push_back({at->first, at->second});
  }
  return found;
}

Result<void> MemoryMetadataStore::put_snapshot(MetadataVersion version, const std::vector<Buffer>& chunks) {
  if (failure_) return std::unexpected(*failure_);
  for (const Buffer& chunk : chunks) {
    if (chunk.size() > kEntryBytesMax) return std::unexpected(entry_too_large(chunk.size()));
  }
  if (snapshot_ && version <= snapshot_->version) return {};
  snapshot_ = SnapshotData{version, chunks};
  entries_.erase(entries_.begin(), entries_.upper_bound(version));
  return {};
}

Result<std::optional<SnapshotData>> MemoryMetadataStore::get_snapshot() {
  if (failure_) return std::unexpected(*failure_);
  return snapshot_;
}

void MemoryMetadataStore::watch_head(std::function<void(MetadataVersion)> on_change) {
  on_change_ = std::move(on_change);
}

Result<std::int64_t> MemoryMetadataStore::register_broker(const Registration& registration) {
  if (failure_) return std::unexpected(*failure_);
  const std::int64_t epoch = ++last_epochs_[registration.broker];
  Registration& present = registrations_[registration.broker];
  present = registration;
  present.epoch = epoch;
  return epoch;
}

Result<void> MemoryMetadataStore::expire_broker(BrokerId broker, std::int64_t epoch) {
  if (failure_) return std::unexpected(*failure_);
  const auto present = registrations_.find(broker);
  if (present != registrations_.end() && present->second.epoch == epoch) registrations_.erase(present);
  return {};
}

Result<std::vector<Registration>> MemoryMetadataStore::registrations() {
  if (failure_) return std::unexpected(*failure_);
  std::vector<Registration> all;
  for (const auto& [id, registration] : registrations_) all.push_back(registration);
  return all;
}

}  // namespace tailwater::cluster
