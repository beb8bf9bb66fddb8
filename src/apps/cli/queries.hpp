// Questions that several commands ask: topics by name or pattern, offsets of partitions. Each goes to the
// brokers that can answer it, in as few requests as possible.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/offset_range.hpp"
#include "base/result.hpp"
#include "wire/api/metadata.hpp"
#include "wire/error_code.hpp"

namespace tailwater::apps::cli {

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};
std::string to_string(const TopicPartition& partition);  // "orders[3]"

// ListOffsets' special times.
inline constexpr std::int64_t kLatest = -1;
inline constexpr std::int64_t kEarliest = -2;

struct ListedOffset {
  std::int64_t offset = -1;  // -1: no record at or after that time
  wire::ErrorCode error = wire::ErrorCode::none;
};
using ListedOffsets = std::map<TopicPartition, ListedOffset>;

// For each partition the first offset at or after its time (or kLatest, kEarliest). Partitions without a
// leader and brokers that cannot be reached show as errors of their partitions.
Result<ListedOffsets> list_offsets(AdminClient& client, const wire::MetadataResponse& metadata,
                                   const std::vector<std::pair<TopicPartition, std::int64_t>>& wanted);

// The place of a point in each partition, inside what is there. Exact points are moved inside too;
// a time behind the newest record is the end.
Result<ListedOffsets> resolve_point(AdminClient& client, const wire::MetadataResponse& metadata,
                                    const std::vector<TopicPartition>& partitions, const OffsetPoint& point);

// A topic's partitions, ascending; none if it is not there.
std::vector<TopicPartition> partitions_of(const wire::MetadataResponse& metadata, std::string_view topic);
const wire::MetadataResponseTopic* find_topic(const wire::MetadataResponse& metadata, std::string_view name);

// Whether `name` is matched by one of the patterns, which may hold * and ?.
bool matches(std::string_view name, const std::vector<std::string>& patterns);
bool is_pattern(std::string_view text);

// Metadata of the topics that the patterns choose, sorted by name. Internal topics are chosen by full name
// only. A name without * and ? that is not there comes back with its error.
Result<wire::MetadataResponse> find_topics(AdminClient& client, const std::vector<std::string>& patterns);

// "there is no topic 'ordrs'; did you mean 'orders'?" Without a near name, how to create it where that helps.
enum class CreationHint { give, leave_out };
std::string no_such_topic(AdminClient& client, std::string_view name, CreationHint hint = CreationHint::give);

// "0-3,7" -> 0 1 2 3 7. Errc::invalid_argument on anything else. Ascending, no doubles.
Result<std::vector<std::int32_t>> parse_partitions(const std::vector<std::string>& texts);

}  // namespace tailwater::apps::cli
