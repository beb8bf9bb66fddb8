#include "core/group/offset_table.hpp"

#include <utility>

#include "base/check.hpp"

namespace tailwater::group {
namespace {

constexpr std::size_t kTopicWeight = 160;
constexpr std::size_t kPartitionWeight = 176;

std::size_t weight_of(const OffsetEntry& entry) {
  return entry.committed ? entry.committed->metadata.size() : 0;
}

}  // namespace

const CommittedOffset* OffsetTable::find(std::string_view topic, std::int32_t partition) const {
  const auto partitions = topics_.find(topic);
  if (partitions == topics_.end()) return nullptr;
  const auto found = partitions->second.find(partition);
  if (found == partitions->second.end() || !found->second.committed) return nullptr;
  return &*found->second.committed;
}

bool OffsetTable::knows(std::string_view topic, std::int32_t partition) const {
  const auto partitions = topics_.find(topic);
  return partitions != topics_.end() && partitions->second.contains(partition);
}

void OffsetTable::begin(std::string_view topic, std::int32_t partition) {
  ++entry(topic, partition).writes_in_flight;
}

void OffsetTable::end(std::string_view topic, std::int32_t partition) {
  OffsetEntry& ended = entry(topic, partition);
  CHECK(ended.writes_in_flight > 0);
  --ended.writes_in_flight;
  drop_if_idle(topic, partition);
}

void OffsetTable::apply(std::string_view topic, std::int32_t partition,
                        std::optional<CommittedOffset> value) {
  if (!value && !knows(topic, partition)) return;
  OffsetEntry& changed = entry(topic, partition);
  weight_ -= weight_of(changed);
  changed.committed = std::move(value);
  weight_ += weight_of(changed);
  drop_if_idle(topic, partition);
}

OffsetEntry& OffsetTable::entry(std::string_view topic, std::int32_t partition) {
  auto partitions = topics_.find(topic);
  if (partitions == topics_.end()) {
    partitions = topics_.emplace(topic, Partitions{}).first;
    weight_ += kTopicWeight + topic.size();
  }
  const auto [found, is_new] = partitions->second.try_emplace(partition);
  if (is_new) weight_ += kPartitionWeight;
  return found->second;
}

void OffsetTable::drop_if_idle(std::string_view topic, std::int32_t partition) {
  const auto partitions = topics_.find(topic);
  const auto found = partitions->second.find(partition);
  if (found->second.committed || found->second.writes_in_flight > 0) return;
  partitions->second.erase(found);
  weight_ -= kPartitionWeight;
  if (!partitions->second.empty()) return;
  weight_ -= kTopicWeight + partitions->first.size();
  topics_.erase(partitions);
}

}  // namespace tailwater::group
