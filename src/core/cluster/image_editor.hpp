// Makes the next image out of records: copy on write, each topic and each leaf of an index at most once. An
// editor is used for one batch or one decision and finished once. Records that contradict the image (a
// partition of a topic that does not exist, a gap in partition ids) are refused with Errc::corrupt; after a
// refusal the editor's content must not be used.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/cluster/image.hpp"
#include "core/cluster/records.hpp"

namespace tailwater::cluster {

class ImageEditor {
 public:
  explicit ImageEditor(const MetadataImage& from);
  ImageEditor(const ImageEditor&) = delete;
  ImageEditor& operator=(const ImageEditor&) = delete;
  ImageEditor(ImageEditor&&) = default;
  ImageEditor& operator=(ImageEditor&&) = default;

  Result<void> apply(const Record& record);
  ImageHandle finish(MetadataVersion version, const BatchAuthor& author);

 private:
  Result<void> apply(const wire::NoOpRecord&) { return {}; }
  Result<void> apply(const wire::RegisterBrokerRecord& record);
  Result<void> apply(const wire::UnregisterBrokerRecord& record);
  Result<void> apply(const wire::FenceBrokerRecord& record);
  Result<void> apply(const wire::UnfenceBrokerRecord& record);
  Result<void> apply(const wire::BrokerRegistrationChangeRecord& record);
  Result<void> apply(const wire::TopicRecord& record);
  Result<void> apply(const wire::RemoveTopicRecord& record);
  Result<void> apply(const wire::PartitionRecord& record);
  Result<void> apply(const wire::PartitionChangeRecord& record);
  Result<void> apply(const wire::ConfigRecord& record);
  Result<void> apply(const wire::FeatureLevelRecord& record);
  Result<void> apply(const wire::ProducerIdsRecord& record);
  Result<void> apply(const ClusterRecord& record);
  Result<void> apply(const ReplicaLogsRecord& record);
  Result<void> apply(const HighMarksRecord& record);
  // What frames a changelog's entries is not for the image; ChangelogReader looks at it.
  Result<void> apply(const wire::BeginTransactionRecord&) { return {}; }
  Result<void> apply(const wire::EndTransactionRecord&) { return {}; }
  Result<void> apply(const wire::AbortTransactionRecord&) { return {}; }
  Result<void> apply(const wire::AccessControlEntryRecord& record);
  Result<void> apply(const wire::RemoveAccessControlEntryRecord& record);
  Result<void> apply(const wire::UserScramCredentialRecord& record);
  Result<void> apply(const wire::RemoveUserScramCredentialRecord& record);
  Result<void> apply(const wire::ClientQuotaRecord& record);
  Result<void> apply(const wire::DelegationTokenRecord& record);
  Result<void> apply(const wire::RemoveDelegationTokenRecord& record);

  Topic* own_topic(const Uuid& id);
  Broker* own_broker(std::int32_t id);
  Result<void> set_topic_config(const wire::ConfigRecord& record);
  void keep(std::string key, const Record& record);

  MetadataImage next_;
  TopicsByName::Editor names_;
  TopicsById::Editor ids_;
  Resources::Editor resources_;
  KeptRecords::Editor kept_;
  std::map<Uuid, std::shared_ptr<Topic>> own_topics_;  // changed here; not yet in the indexes
  std::map<BrokerId, std::shared_ptr<Broker>> own_brokers_;
};

// The partition that follows from one and a change of it.
Partition changed_partition(const Partition& before, const wire::PartitionChangeRecord& change);

}  // namespace tailwater::cluster
