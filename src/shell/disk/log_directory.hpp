// A log directory at start: made if it is missing, checked, locked against a second broker (and Apache
// Kafka), and probed for the fastest way in which its file system makes writes durable. Start-up code: it may
// block. The lock on the folder is a courtesy that gives a clear message; what keeps two writers apart are
// the locks on the files themselves (DiskOp::exclusive). It holds as long as the object lives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "shell/disk/descriptor.hpp"
#include "shell/disk/disk.hpp"
#include "shell/disk/disk_mode.hpp"

namespace tailwater::shell {

// What the probe found.
struct DiskTraits {
  std::string file_system;             // "ext4"
  std::uint32_t memory_alignment = 0;  // of direct transfers, 0: not known
  std::uint32_t offset_alignment = 0;
  bool fallocate = false;
  bool syncfs = false;  // see DiskRoot
  bool syncfs_tells = false;
  std::string write_cache;            // of the device: "write back", "write through"; empty: not known
  std::vector<std::string> warnings;  // one sentence each
};

struct LogDirectoryOptions {
  std::optional<DiskMode> mode;  // instead of the probe's choice
  Duration lock_patience = Duration::from_ms(500);
  // What to do when another process uses it: ends the sentence that says so.
  std::string busy_advice = "stop that broker, or give this one a folder of its own (log.dirs)";
};

class LogDirectory {
 public:
  // Errors are one line for the user: Errc::busy (in use) or Errc::storage (not usable).
  static Result<LogDirectory> prepare(DirId dir, const std::string& path,
                                      const LogDirectoryOptions& options = {});

  DiskRoot root() const { return {dir_, folder_.get(), path_, mode_, traits_.syncfs, traits_.syncfs_tells}; }
  const std::string& path() const { return path_; }
  bool created() const { return created_; }
  const DiskTraits& traits() const { return traits_; }
  // The size of its file system; 0 if that cannot be had.
  std::uint64_t file_system_bytes() const;
  // "log directory /data: ext4, direct + DSYNC, device cache: write back"
  std::string description() const;

 private:
  LogDirectory() = default;

  DirId dir_;
  std::string path_;
  Descriptor folder_;
  Descriptor lock_;
  DiskMode mode_ = DiskMode::buffered_fdatasync;
  bool created_ = false;
  DiskTraits traits_;
};

struct EngineChoice {
  DiskEngineKind kind = DiskEngineKind::mixed;
  std::string reason;  // why there is no io_uring; empty if there is
};

// io_uring with a thread for lonely journal writes, or what is wished for; threads alone if the kernel lets
// us have no io_uring.
EngineChoice choose_engine(std::optional<DiskEngineKind> wish = {});

}  // namespace tailwater::shell
