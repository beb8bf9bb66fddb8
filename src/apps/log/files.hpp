// The files of a log directory as the log tools read them: as they are on the disk (RealFiles), or as they
// would be after a start (RehearsalDisk).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "records/batch.hpp"

namespace tailwater::apps::logtools {

// Paths are relative to the log directory.
class Files {
 public:
  virtual ~Files() = default;
  // Nothing if there is no such file.
  virtual std::optional<std::uint64_t> size(const std::string& path) = 0;
  // Fills `out` as far as the file goes; the number of bytes.
  virtual Result<std::size_t> read(const std::string& path, std::uint64_t at, MutableBytes out) = 0;

  // A whole small file; not_found if there is none.
  Result<Buffer> load(const std::string& path);
};

struct FileRange {
  std::uint64_t from = 0;
  std::uint64_t to = 0;  // exclusive
};

class RealFiles : public Files {
 public:
  explicit RealFiles(std::string folder) : folder_(std::move(folder)) {}
  std::optional<std::uint64_t> size(const std::string& path) override;
  Result<std::size_t> read(const std::string& path, std::uint64_t at, MutableBytes out) override {
    return read_at(path, at, out);
  }

  // Names in a folder, sorted; folders' names end in '/'. Empty if there is none.
  std::vector<std::string> list(const std::string& path) const;
  // Durably: a temporary file beside it, synced, renamed.
  Result<void> replace(const std::string& path, Bytes content) const;
  // In place, synced.
  Result<void> overwrite(const std::string& path, std::uint64_t at, Bytes content) const;
  Result<void> remove(const std::string& path) const;
  // Over what has this name, durably; within one folder.
  Result<void> rename(const std::string& from, const std::string& to) const;
  // A new file, synced, of these parts of another. What lies beyond its end is left out.
  Result<void> gather(const std::string& from, const std::vector<FileRange>& ranges,
                      const std::string& to) const;
  const std::string& folder() const { return folder_; }

 private:
  Result<std::size_t> read_at(const std::string& path, std::uint64_t at, MutableBytes out) const;

  std::string folder_;
};

// The batches of the first `limit` bytes of a segment file. Where bytes are no batch, or one says that it is
// wrong (`batch` returns a reason), `damage` is told, and the walk goes on at the next whole batch.
struct Walk {
  std::function<std::string(std::uint64_t position, const records::BatchView& batch)> batch;
  std::function<void(std::uint64_t from, std::uint64_t to, const std::string& what)> damage;
  std::function<Offset()> floor;
  std::function<void(std::uint64_t bytes)> progress = {};
};
Result<void> walk_segment(Files& files, const std::string& path, std::uint64_t limit, const Walk& walk);

}  // namespace tailwater::apps::logtools
