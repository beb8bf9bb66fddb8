// Walks a log directory and names every damage: what the journal, the manifests, the segments and the indexes
// hold, judged against each other. Writes nothing: a start is rehearsed in memory, so that what the journal
// still has to bring into the segments counts, too.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "apps/log/folder.hpp"
#include "apps/log/rehearsal.hpp"

namespace tailwater::apps::logtools {

struct Damage {
  std::string file;                       // relative to the log directory
  std::optional<std::uint64_t> position;  // where in it; nothing: all of it
  std::string what;
  std::string remedy;
};

struct Seen {
  std::uint64_t logs = 0;
  std::uint64_t segments = 0;
  std::uint64_t batches = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  // Batches that a start would replay from the journal: also those that are in the segments already, and
  // those of logs that are gone again. So it may be more than `bytes`.
  std::uint64_t journal_bytes = 0;
};

class Verifier {
 public:
  using Tell = std::function<void(const Damage&)>;
  using Progress = std::function<void(std::uint64_t records, std::uint64_t bytes)>;
  Verifier(Folder& folder, Tell tell, Progress progress)
      : folder_(folder), tell_(std::move(tell)), progress_(std::move(progress)) {}

  // All of it. Returns whether it was whole; an error of the disk counts as damage.
  bool run();
  const Seen& seen() const { return seen_; }

 private:
  void damage(std::string file, std::optional<std::uint64_t> position, std::string what, std::string remedy);
  void shard(const std::string& journal);
  void manifests(const std::string& journal, const Folder::Head& head);
  void log(Files& files, const log::ManifestLog& log);
  void segment(Files& files, const log::ManifestLog& log, const log::Segment& segment);
  Buffer index(Files& files, const std::string& path, std::uint64_t size);
  void bare_log(const std::string& name);

  Folder& folder_;
  Tell tell_;
  Progress progress_;
  Seen seen_;
  bool whole_ = true;
  std::set<std::string> known_;  // folders of logs that a manifest names
};

}  // namespace tailwater::apps::logtools
