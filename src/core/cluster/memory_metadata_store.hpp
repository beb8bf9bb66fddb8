// The metadata store in memory, for tests and the simulator. It keeps the contract, forgets everything with
// the object, and can be told to fail.
#pragma once

#include <map>

#include "core/cluster/metadata_store.hpp"

namespace tailwater::cluster {

class MemoryMetadataStore : public MetadataStore {
 public:
  Result<MetadataVersion> head() override;
  Result<MetadataVersion> append(MetadataVersion expected_head, Bytes batch) override;
  Result<std::vector<StoreEntry>> read(MetadataVersion first, std::size_t entries_max) override;
  Result<void> put_snapshot(MetadataVersion version, const std::vector<Buffer>& chunks) override;
  Result<std::optional<SnapshotData>> get_snapshot() override;
  void watch_head(std::function<void(MetadataVersion)> on_change) override;
  Result<std::int64_t> register_broker(const Registration& registration) override;
  Result<void> expire_broker(BrokerId broker, std::int64_t epoch) override;
  Result<std::vector<Registration>> registrations() override;

  // From now on every call fails with this, nullopt: works again.
  void fail_with(std::optional<Error> error) { failure_ = std::move(error); }

 private:
  std::map<MetadataVersion, Buffer> entries_;
  MetadataVersion head_;
  std::optional<SnapshotData> snapshot_;
  std::map<BrokerId, Registration> registrations_;
  std::map<BrokerId, std::int64_t> last_epochs_;
  std::function<void(MetadataVersion)> on_change_;
  std::optional<Error> failure_;
};

}  // namespace tailwater::cluster
