// From entries and snapshots of the store to images, and back to snapshots.
//
// Usually an entry is one batch and makes one image. A change that is too large for one entry comes as
// several: the first begins with BeginTransactionRecord, the last ends with EndTransactionRecord, and their
// records count all together or not at all. A controller that finds such a beginning without its end (its
// predecessor died) writes AbortTransactionRecord.
#pragma once

#include <optional>
#include <vector>

#include "core/cluster/image_editor.hpp"
#include "core/cluster/metadata_store.hpp"

namespace tailwater::cluster {

// Follows the changelog. GUARANTEES: image() contains whole changes only, and its version never goes back.
// After an error the reader stays where it is.
class ChangelogReader {
 public:
  ChangelogReader() : ChangelogReader(std::make_shared<const MetadataImage>()) {}
  explicit ChangelogReader(ImageHandle image);

  // The entry after the last one. Entries that were read before are passed over; a gap is an error.
  Result<void> add(const StoreEntry& entry);

  const ImageHandle& image() const { return image_; }
  // The last entry that was read; beyond the image's version only inside an unfinished change.
  MetadataVersion last_read() const { return last_read_; }
  bool inside_change() const { return inside_change_; }

 private:
  Result<void> apply(const RecordBatch& batch);

  ImageHandle image_;
  MetadataVersion last_read_;
  std::optional<ImageEditor> editor_;  // present inside a change
  bool inside_change_ = false;
  std::optional<Error> broken_;
};

// The image as records, in chunks of at most about `chunk_bytes` that are batches each.
std::vector<Buffer> write_snapshot(const MetadataImage& image, std::size_t chunk_bytes = kEntryBytesMax);
Result<ImageHandle> read_snapshot(const SnapshotData& snapshot);

// Reads everything that a store holds, from its newest snapshot on. For adapters' blocking interface.
Result<ChangelogReader> load_changelog(MetadataStore& store);

// All records of one kind that the image keeps for others, in the order of their keys.
template <class Kind>
std::vector<Kind> kept_records(const MetadataImage& image) {
  std::vector<Kind> found;
  const std::string prefix = std::to_string(Kind::kRecordKey) + ":";
  for (auto at = image.kept.lower_bound(std::string_view(prefix)); at != image.kept.end(); ++at) {
    if (!(*at)->key.starts_with(prefix)) break;
    Result<Record> record = decode_record((*at)->frame);
    if (record && std::holds_alternative<Kind>(*record)) found.push_back(std::get<Kind>(*std::move(record)));
  }
  return found;
}

}  // namespace tailwater::cluster
