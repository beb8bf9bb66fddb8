#include "core/cluster/metadata_start.hpp"

#include "core/cluster/changelog.hpp"
#include "core/cluster/controller.hpp"

namespace tailwater::cluster {

namespace {

// A change of several entries whose writer died in between does not count; it is closed before anything
// follows it.
Result<void> close_open_change(MetadataStore& store, ChangelogReader& reader, BrokerId self) {
  if (!reader.inside_change()) return {};
  RecordBatch batch;
  batch.author = {self, reader.image()->controller_epoch, 0};
  batch.records.emplace_back(wire::AbortTransactionRecord{});
  Buffer bytes = encode_batch(batch);
  auto version = store.append(reader.last_read(), bytes);
  if (!version) return std::unexpected(version.error());
  return reader.add({*version, std::move(bytes)});
}

// Lets the controller write what it has decided until it has nothing left to write.
Result<void> carry_out(MetadataStore& store, MetadataController& controller) {
  for (;;) {
    ControllerEffects effects;
    controller.flush(effects);
    if (effects.appends.empty()) return {};
    for (const StoreAppend& append : effects.appends) {
      StoreOutcome outcome = store.append(append.expected_head, append.batch);
      if (!outcome) return std::unexpected(outcome.error());
      controller.stored(append.token, std::move(outcome));
    }
    for (const StoreSnapshot& snapshot : effects.snapshots) {
      if (auto put = store.put_snapshot(snapshot.version, snapshot.chunks); !put) return put;
    }
  }
}

}  // namespace

Result<ImageHandle> start_metadata(MetadataStore& store, const MetadataStart& start) {
  const BrokerId self = start.registration.broker;
  auto reader = load_changelog(store);
  if (!reader) return std::unexpected(reader.error());
  if (auto closed = close_open_change(store, *reader, self); !closed) return std::unexpected(closed.error());
  const ImageHandle image = reader->image();
  if (!image->cluster_id.empty() && image->cluster_id != start.cluster_id) {
    return fail(Errc::invalid_argument, "the metadata belong to cluster " + image->cluster_id +
                                            ", but meta.properties says " + start.cluster_id +
                                            ": were log directories of two clusters mixed?");
  }
  auto epoch = store.register_broker(start.registration);
  if (!epoch) return std::unexpected(epoch.error());
  auto registrations = store.registrations();
  if (!registrations) return std::unexpected(registrations.error());

  MetadataController::Options options;
  options.self = self;
  options.epoch = ControllerEpoch{image->controller_epoch.value + 1};
  options.seed = start.seed;
  MetadataController controller(options, start.config, image);
  if (image->cluster_id.empty()) controller.bootstrap(start.cluster_id);
  controller.brokers_changed(*registrations);
  if (auto done = carry_out(store, controller); !done) return std::unexpected(done.error());
  return controller.image();
}

}  // namespace tailwater::cluster
