#include "core/group/offset_table.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace tailwater::group {
namespace {

constexpr std::size_t kTopicWeight = 160;
constexpr std::size_t kPartitionWeight = 208;
constexpr std::size_t kHeldWeight = 240;  // with its place among the producer's

std::size_t weight_of(const OffsetEntry& entry) {
  std::size_t weight = entry.committed ? entry.committed->metadata.size() : 0;
  for (const HeldOffset& held : entry.held) weight += kHeldWeight + held.value.metadata.size();
  return weight;
}

}  // namespace

const OffsetEntry* OffsetTable::look(std::string_view topic, std::int32_t partition) const {
  const auto partitions = topics_.find(topic);
  if (partitions == topics_.end()) return nullptr;
  const auto found = partitions->second.find(partition);
  return found == partitions->second.end() ? nullptr : &found->second;
}

const CommittedOffset* OffsetTable::find(std::string_view topic, std::int32_t partition) const {
  const OffsetEntry* found = look(topic, partition);
  return found == nullptr || !found->committed ? nullptr : &*found->committed;
}

bool OffsetTable::knows(std::string_view topic, std::int32_t partition) const {
  return look(topic, partition) != nullptr;
}

bool OffsetTable::is_unstable(std::string_view topic, std::int32_t partition) const {
  const OffsetEntry* found = look(topic, partition);
  return found != nullptr && !found->held.empty();
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
  const std::uint64_t order = next_order_++;
  if (!value && !knows(topic, partition)) return;
  OffsetEntry& changed = entry(topic, partition);
  weight_ -= weight_of(changed);
  changed.committed = std::move(value);
  changed.order = order;
  if (!changed.committed) changed.held.clear();
  weight_ += weight_of(changed);
  drop_if_idle(topic, partition);
}

void OffsetTable::hold(ProducerId producer, std::string_view topic, std::int32_t partition,
                       CommittedOffset value) {
  OffsetEntry& changed = entry(topic, partition);
  weight_ -= weight_of(changed);
  auto held = std::ranges::find(changed.held, producer, &HeldOffset::producer);
  if (held == changed.held.end()) {
    held = changed.held.insert(held, HeldOffset{.producer = producer, .value = {}, .order = 0});
    holders_[producer].emplace_back(topic, partition);
  }
  held->value = std::move(value);
  held->order = next_order_++;
  weight_ += weight_of(changed);
}

void OffsetTable::release(ProducerId producer, bool commits) {
  const auto holder = holders_.find(producer);
  if (holder == holders_.end()) return;
  const auto places = std::move(holder->second);
  holders_.erase(holder);
  for (const auto& [topic, partition] : places) {
    if (!is_unstable(topic, partition)) continue;
    OffsetEntry& changed = entry(topic, partition);
    const auto held = std::ranges::find(changed.held, producer, &HeldOffset::producer);
    if (held == changed.held.end()) continue;
    weight_ -= weight_of(changed);
    if (commits && (!changed.committed || changed.order < held->order)) {
      changed.committed = std::move(held->value);
      changed.order = held->order;
    }
    changed.held.erase(held);
    weight_ += weight_of(changed);
    drop_if_idle(topic, partition);
  }
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
  if (found->second.committed || found->second.writes_in_flight > 0 || !found->second.held.empty()) return;
  partitions->second.erase(found);
  weight_ -= kPartitionWeight;
  if (!partitions->second.empty()) return;
  weight_ -= kTopicWeight + partitions->first.size();
  topics_.erase(partitions);
}

}  // namespace tailwater::group
