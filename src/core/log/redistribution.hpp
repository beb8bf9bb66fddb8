// Makes log directories that were written with another number of shards ready for this one. Journals and
// manifests are one per shard; which shard a log belongs to is not stored. Before the shards start:
//
//   survey   how many shards wrote each directory: the largest number of a ring or manifest says so
//   drain    each old shard is started, flushed and stopped cleanly (Storage): its ring is empty then
//   settle   names are synced: an old manifest that is gone must not come back and be counted
//   deal     the logs' states, by their new shards, become one file: manifest/dealt. From here on it counts;
//            the survey is made anew, and finds it
//   load     it is read
//   clear    the old rings and manifests are removed
//   bare     that is synced: of what is gone already, nobody knows whether an earlier life that removed it came to that
//   seed     each new shard gets its manifests, of generation 1 at address 0: a new ring takes it over. A
//            log of a soft ring goes to a soft ring
//   (Starter) finish   manifest/dealt is removed, and the survey finds nothing to do
//   forget   that it is gone is made to last, for the same reason: if it came back, it would take what is written from here on
//
// GUARANTEES: a crash anywhere loses nothing. Before `deal` is durable the old shards are all there, as after
// any crash; behind it the next start goes on at `load`, whatever its number of shards.
// MUST NOT run beside anything else that uses the directories.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.hpp"
#include "core/log/manifest.hpp"
#include "core/log/storage.hpp"

namespace tailwater::log {

class Redistribution {
 public:
  // Follows from what a partition's folder is named after.
  using Home = std::function<ShardId(std::string_view topic, PartitionId)>;

  // The options are those of a shard's storage that may use the memory of all.
  Redistribution(StorageOptions options, std::uint32_t shards, Home home);
  ~Redistribution();

  void start(Now now, DiskEffects& effects);
  void completed(DiskDone done, Now now);
  void turn(Now now, DiskEffects& effects);
  Instant next_deadline() const;

  bool over() const { return step_ == Step::over; }
  // Non-empty when it is over and the directories are not ready: one sentence for the user.
  const std::string& failure() const { return failure_; }
  // What was done, for the log.
  struct Change {
    DirId dir;
    std::uint32_t shards_before = 0;
    std::size_t logs = 0;
  };
  const std::vector<Change>& changes() const { return changes_; }
  // What the old shards' storages found, see Storage::take_faults().
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  enum class Step : std::uint8_t {
    survey,
    load,
    drain,
    close,
    settle,
    deal,
    clear,
    bare,
    seed,
    finish,
    forget,
    over
  };

  // One directory.
  struct Place {
    DirId id;
    std::vector<std::string> rings;
    std::vector<std::string> manifests;
    std::uint32_t shards = 0;
    bool dealt = false;                // manifest/dealt exists: the place is on its way from `clear` on
    std::vector<ManifestLog> logs[2];  // of the hard rings, of the soft ones
    std::vector<DoomedPath> doomed[2];
    std::vector<Buffer> seeds;  // two for each new shard: of its hard ring, of its soft one
  };

  // Was written with another number of shards.
  bool is_strange(const Place& place) const { return place.shards != 0 && place.shards != shards_; }
  DiskOp& send(const Place& place, DiskOpKind kind, std::string path);
  void fail(std::string reason);
  void survey();
  void listed(DiskDone done);
  void judge();
  void loaded(DiskDone done);
  void drain_next();
  void collect();
  void settle();
  void deal();
  std::vector<Manifest> deal(Place& place, bool soft, Prng& random) const;
  std::uint32_t home_of_folder(std::string_view folder) const;
  void clear();
  void bare();
  void seed();
  void finish();
  void forget();
  void next_step();
  void pass_on(DiskEffects& wishes);

  const StorageOptions options_;
  const std::uint32_t shards_;
  const Home home_;
  Now now_{};
  Step step_ = Step::survey;
  std::vector<Place> places_;
  std::size_t outstanding_ = 0;
  DiskEffects outbox_;
  std::string failure_;
  std::vector<Change> changes_;
  std::vector<std::string> faults_;

  // The old shard that is being drained, and its files.
  std::uint32_t draining_ = 0;
  std::unique_ptr<Storage> storage_;
  bool stopping_ = false;
  std::size_t in_flight_ = 0;  // operations of the storage
  std::map<DiskToken, FileId> opening_;
  std::set<std::pair<FileId, DirId>> open_;
};

}  // namespace tailwater::log
