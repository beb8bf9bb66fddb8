// Which partition of __consumer_offsets a group belongs to, and Java's view of a string's length. Both count
// in UTF-16 units, as Kafka does; bytes that are no UTF-8 count as the replacement character, one unit per
// byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tailwater::group {

std::int32_t java_string_hash(std::string_view utf8);
std::size_t utf16_length(std::string_view utf8);

// REQUIRES: partitions > 0.
std::int32_t coordinator_partition(std::string_view group_id, std::int32_t partitions);

}  // namespace tailwater::group
