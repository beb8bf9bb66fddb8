// What every metadata store says in the same words.
#include "core/cluster/metadata_store.hpp"

namespace tailwater::cluster {

Error wrong_head(MetadataVersion expected, MetadataVersion actual) {
  return {Errc::already_exists, "the metadata changelog is at entry " + std::to_string(actual.value) +
                                    ", not " + std::to_string(expected.value) +
                                    ": another controller has written to it"};
}

Error entry_too_large(std::size_t bytes) {
  return {Errc::too_large, "a metadata entry of " + std::to_string(bytes) + " bytes is larger than " +
                               std::to_string(kEntryBytesMax)};
}

Error entry_forgotten(MetadataVersion version) {
  return {Errc::not_found,
          "entry " + std::to_string(version.value) + " of the metadata is only in the snapshot any more"};
}

}  // namespace tailwater::cluster
