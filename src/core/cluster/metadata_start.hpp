// The metadata at a broker's start, before its shards exist: reads the image out of the store, gives an empty
// changelog its beginning, and registers this broker. It decides nothing itself: the records are the
// controller's.
#pragma once

#include <cstdint>
#include <string>

#include "core/cluster/config.hpp"
#include "core/cluster/image.hpp"
#include "core/cluster/metadata_store.hpp"

namespace tailwater::cluster {

struct MetadataStart {
  std::string cluster_id;  // if the changelog has none yet
  Registration registration;
  BrokerConfig config;
  std::uint64_t seed = 0;
};

// The image in which this broker is registered and alive. Fails if the store does, or if it belongs to
// another cluster.
Result<ImageHandle> start_metadata(MetadataStore& store, const MetadataStart& start);

}  // namespace tailwater::cluster
