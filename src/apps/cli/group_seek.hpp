// Where a group's offsets shall be moved: the decisions of `tailwater group seek`, without a broker.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "apps/cli/queries.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

using Offsets = std::map<TopicPartition, std::int64_t>;

// Lines "TOPIC PARTITION OFFSET" with spaces, tabs or commas between; empty lines and lines that begin with #
// are skipped. Errors name the line.
Result<Offsets> parse_offsets_file(std::string_view text);

// `offset` moved inside what the partition holds.
std::int64_t inside(std::int64_t offset, std::int64_t start, std::int64_t end);

}  // namespace tailwater::apps::cli
