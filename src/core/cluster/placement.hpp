// Where the replicas of new partitions go: leaders in turn over all live brokers, the other replicas over as
// many racks as there are, each broker at most once, and on a broker the log directory with the fewest
// partitions.
#pragma once

#include <map>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "base/result.hpp"
#include "core/cluster/config.hpp"
#include "core/cluster/image.hpp"

namespace tailwater::cluster {

// The brokers of each new partition, the preferred leader first. `already` partitions exist, so that leaders
// go on where those end. Fenced brokers take replicas only if there are too few live ones, and lead nothing.
// Fails with invalid_argument if there are fewer brokers than replicas, or none that is alive.
Result<std::vector<std::vector<BrokerId>>> place_replicas(const MetadataImage& image, std::size_t partitions,
                                                          std::size_t replication_factor, std::size_t already,
                                                          Prng& random);

// Chooses log directories; counts what it hands out, so one chooser serves one request.
class DirectoryChooser {
 public:
  // `self`'s cordoned directories, by its configuration, get nothing as long as there is another one.
  DirectoryChooser(const MetadataImage& image, BrokerId self, const BrokerConfig& config);

  // The directory of a new replica; zero if the broker did not say which it has.
  Uuid choose(BrokerId broker);

 private:
  struct Directory {
    Uuid id;
    std::size_t replicas = 0;
  };
  std::vector<Directory>& directories_of(BrokerId broker);

  const MetadataImage& image_;
  BrokerId self_;
  const BrokerConfig& config_;
  std::map<BrokerId, std::vector<Directory>> known_;
};

}  // namespace tailwater::cluster
