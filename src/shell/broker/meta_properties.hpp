// The file `meta.properties` in each log directory, as Apache Kafka has it: which cluster and broker the
// directory belongs to, and its own id. It keeps a broker from serving data that is not its own.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"

namespace tailwater::shell {

struct MetaProperties {
  std::string cluster_id;
  BrokerId broker;
  Uuid directory;  // zero: the file has none (written by an older Kafka)
  friend bool operator==(const MetaProperties&, const MetaProperties&) = default;
};

std::string format_meta_properties(const MetaProperties& properties);
Result<MetaProperties> parse_meta_properties(std::string_view text);

struct DirectoryIdentity {
  std::string cluster_id;
  std::vector<Uuid> directories;  // in the order of the log directories; zero: it is not usable
};

// By their places in log.dirs: why each cannot be used.
using UnusableDirectories = std::map<std::size_t, Error>;

struct IdentityWish {
  BrokerId broker;
  std::string cluster_id;          // of the configuration; empty: whatever the directories say
  std::function<Uuid()> new_uuid;  // for what has no id yet
};

// Reads the files of all directories, checks that they agree with each other and with the configuration, and
// writes what is missing, durably. Errors are contradictions: they say which file says what, and what to do.
// Leaves alone what is not usable; a directory whose file cannot be read, understood or written becomes so.
Result<DirectoryIdentity> identify_directories(const std::vector<std::string>& directories,
                                               const IdentityWish& wish, UnusableDirectories& unusable);

}  // namespace tailwater::shell
