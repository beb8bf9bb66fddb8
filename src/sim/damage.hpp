// Damage of what was stable on the disk: flipped bits, and writes that went to another place. It strikes
// where one copy is enough to notice it; what may come of it depends on what was struck.
//   records   of a segment: the ledger is told which; a reader may be told of it, and goes on behind them. What the
//             journal still names as written straight there a start may refuse: then the operator mends it, too.
//             Of a compacted topic, whose segments are written anew, the ledger knows only about where
//   indexes   of a segment: nothing may come of it
//   the rest  journal, superblock, manifest, logs of the coordinators: the broker serves all the same, or
//             says what is damaged; then the operator mends it from a copy. One such place at a time
// Not struck: the newest frames of a journal, of which nothing on the disk says yet that they were stable (a
// write that tore looks the same), and what a power loss may take anyway.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.hpp"
#include "core/log/tail.hpp"
#include "disk_model/file.hpp"
#include "sim/disk.hpp"
#include "sim/faults.hpp"
#include "sim/ledger.hpp"

namespace tailwater::sim {

class Damage {
 public:
  Damage(Disk& disk, Ledger& ledger, Prng& random) : disk_(disk), ledger_(ledger), random_(random) {}

  // The records of this partition may be damaged, by this kind of fault.
  void allow(const std::string& folder, TrackNumber track, Fault fault) { victims_[folder] = {track, fault}; }
  // Flips a bit, or lets a write go astray. False if there is no place for it now.
  bool strike(Fault fault);

  // What only the operator can mend, unless the broker has written it anew.
  bool stands();
  void mend();
  // Mends the file that what was said names, and gives its path. For records that has to be why nothing is served.
  std::optional<std::string> mend_what_is_named(std::span<const std::string> said, std::string_view failure);

 private:
  // Bytes that may be struck.
  struct Place {
    std::shared_ptr<disk_model::File> file;
    std::string path;  // with the directory's number in front
    std::uint64_t at = 0;
    std::uint64_t size = 0;
  };

  struct Victim {
    TrackNumber track;
    Fault fault{};
  };

  std::vector<Place> places(Fault fault) const;
  bool is_victim(const std::string& path, Fault fault) const;
  void add_frames(const Place& ring, std::vector<Place>& places) const;
  void add_blocks(const Place& file, std::vector<Place>& places) const;
  bool flip(Fault fault);
  bool go_astray(bool records);
  bool stands_or_will();
  void remember(std::shared_ptr<disk_model::File> file, const std::string& path);
  // The batches that damage of these bytes makes unreadable: their own, and what is looked for from them.
  // Nothing if the last of them may not be there yet.
  std::optional<std::vector<log::StoredBatch>> reach(const Place& place, std::uint64_t at,
                                                     std::uint64_t size) const;
  void account(const Place& place, std::span<const log::StoredBatch> reached);

  Disk& disk_;
  Ledger& ledger_;
  Prng& random_;
  std::map<std::string, Victim> victims_;  // by folder
  // Records and indexes by segment; a second time it could not be said what is lost.
  std::map<std::string, std::shared_ptr<disk_model::File>> struck_;
  std::shared_ptr<disk_model::File> file_;
  std::string path_;
};

}  // namespace tailwater::sim
