// A start and a clean stop of a log directory's storage, outside of a broker: for real (the journal is
// emptied into the segments), or as a rehearsal that writes nothing: what would be written is kept in memory,
// and the files can be read as they would be afterwards.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "apps/log/files.hpp"
#include "base/disk.hpp"
#include "core/log/manifest.hpp"
#include "core/log/storage.hpp"
#include "shell/disk/log_directory.hpp"

namespace tailwater::apps::logtools {

// Carries operations out; gives back what has completed, and waits for it until `until` at most.
using Carry = std::function<std::vector<DiskDone>(log::DiskEffects&& effects, Instant until)>;

struct Drained {
  log::Manifest state;  // of all logs, as after a clean stop
  log::DirReport report;
};
// Starts the storage of the journal's shard, stops it cleanly, and gives the state of this journal's logs.
// `soft_ring`: the shard has one. The error says why it cannot start.
Result<Drained> drain(const std::string& journal, bool soft_ring, const Carry& carry);

// The real disk.
class RealDisk {
 public:
  explicit RealDisk(const shell::LogDirectory& directory);
  ~RealDisk();
  std::vector<DiskDone> carry(log::DiskEffects&& effects, Instant until);

 private:
  shell::Disk disk_;
};

// Reads from the folder, writes to memory.
class RehearsalDisk : public Files {
 public:
  explicit RehearsalDisk(RealFiles& real) : real_(real) {}

  std::optional<std::uint64_t> size(const std::string& path) override;
  Result<std::size_t> read(const std::string& path, std::uint64_t at, MutableBytes out) override;
  std::vector<DiskDone> carry(log::DiskEffects&& effects, Instant until);

 private:
  // A file that was opened or changed. Blocks that were written stand before what the disk has.
  struct File {
    std::string origin;  // its path on the disk; empty: it is not there
    std::uint64_t size = 0;
    std::uint64_t origin_size = 0;  // as much of the origin counts
    std::map<std::uint64_t, Buffer> blocks;
  };
  using FilePtr = std::shared_ptr<File>;

  bool is_hidden(const std::string& path) const;
  FilePtr find(const std::string& path);
  FilePtr make(const std::string& path);
  Result<std::size_t> read(File& file, std::uint64_t at, MutableBytes out);
  Result<void> write(File& file, std::uint64_t at, Bytes bytes);
  static void resize(File& file, std::uint64_t size);
  std::vector<std::string> names(const std::string& folder);
  bool folder_exists(const std::string& path);
  void remove(const std::string& path);
  Result<void> rename(const std::string& from, const std::string& to);
  void perform(DiskOp& op, DiskDone& done);

  RealFiles& real_;
  std::map<std::string, FilePtr> files_;  // by their present paths
  std::set<std::string> hidden_;          // paths of the disk that are gone, with all below them
  std::set<std::string> folders_;         // that are new
  std::map<std::uint64_t, FilePtr> open_;
};

}  // namespace tailwater::apps::logtools
