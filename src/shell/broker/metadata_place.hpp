// Which of the log directories holds the broker's metadata. A new broker's first one does; from then on it is found
// where it lies, whatever the order of log.dirs and wherever its disk is mounted.
//   An image of the metadata without topics tells the shards that every log is one of a deleted topic. So new
//   metadata is made only where nothing can belong to older one: no directory has a journal or a manifest, and every
//   directory could be looked into.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "shell/broker/meta_properties.hpp"

namespace tailwater::shell {

// Its place in `directories`. Writes nothing. Errors are one sentence for the user, with what to do: one of the
// unusable directories may be that with the metadata.
Result<std::size_t> find_metadata(const std::vector<std::string>& directories,
                                  const UnusableDirectories& unusable);

}  // namespace tailwater::shell
