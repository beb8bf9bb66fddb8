// A log directory that the log tools work on: locked, so that no broker uses it meanwhile, and the fixed
// places in it. See core/journal/superblock.hpp and core/log/manifest.hpp for what the files hold.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/log/files.hpp"
#include "core/journal/superblock.hpp"
#include "core/log/manifest.hpp"
#include "shell/disk/log_directory.hpp"

namespace tailwater::apps::logtools {

// For tools that write: root becomes the user to whom the folder belongs, so that the broker of that user can go on with what
// they make. Errors: storage.
Result<void> work_as_owner(const std::string& path);

class Folder {
 public:
  // Errors: not_found (no log directory there), busy (a broker uses it), storage.
  static Result<Folder> open(const std::string& path);

  RealFiles& files() { return files_; }
  const shell::LogDirectory& directory() const { return directory_; }
  const std::string& path() const { return files_.folder(); }

  // The journals here by the names that log::journal_name() gives them, a shard's two beside each other.
  std::vector<std::string> journals() const;
  // Whether the shard that the journal is of has a second one, for tailwater.durability=os.
  bool has_soft_ring(const std::string& journal);
  // A change of the number of shards was interrupted: only a broker's start goes on with it.
  bool is_half_dealt() const;
  // "topic-partition" folders, whoever they belong to.
  std::vector<std::string> log_folders() const;
  // Base offsets of the segment files in a log's folder, ascending.
  std::vector<Offset> segments(const std::string& log_folder) const;
  // Generations of a journal's manifests that are there, ascending.
  std::vector<std::uint64_t> generations(const std::string& journal) const;

  static std::string ring(const std::string& journal) { return "journal/" + journal + ".jnl"; }
  static std::string manifest(const std::string& journal, std::uint64_t generation) {
    return "manifest/" + journal + "-" + std::to_string(generation);
  }

  struct Head {
    journal::RingHead state = journal::RingHead::damaged;
    std::array<std::optional<journal::Superblock>, 2> blocks;  // A and B
    std::array<bool, 2> healed{};                              // one of its copies is damaged
    journal::Superblock counts;                                // the newer of them
  };
  Result<Head> head(const std::string& journal);
  Result<log::Manifest> load_manifest(const std::string& journal, std::uint64_t generation);
  // Makes this the state of the journal's logs, durably. REQUIRES: it is empty, as after a clean stop.
  Result<void> commit(const std::string& journal, log::Manifest& state);

 private:
  Folder(RealFiles files, shell::LogDirectory directory)
      : files_(std::move(files)), directory_(std::move(directory)) {}

  RealFiles files_;
  shell::LogDirectory directory_;
};

}  // namespace tailwater::apps::logtools
