// The disk as machines see it: wishes (DiskOp) go out in a turn's effects, outcomes (DiskDone) come back as
// inputs in any order. Every shell (io_uring, thread pool, simulator) gives the same guarantees:
//   write     all bytes are in the file; with `durable` they are on stable storage (O_DSYNC or fdatasync
//             before done)
//   sync      everything written to the file before this op was *submitted* is on stable storage, its size
//             included
//   sync_all  the same for everything done in the directory `dir` before: bytes, sizes and names of all its
//             files (syncfs)
//   replace   the file's new content and name are durable, all or nothing (temporary file, fsync, rename,
//             folder sync). Nothing if it were too large for `load`
//   zero      as volatile as a write: until a sync is done a power loss may bring the old bytes back, in part;
//             Errc::unsupported where zeros are not to be had without writing them
//   others    that change names and sizes (open, create_folder, rename, remove, truncate): with `durable` on
//             stable storage when done (file and parent folders are synced), also the name of a file that was
//             there: who made it may have died before; without, after the next sync_all
// Ops may be carried out in any order; a machine that needs one before the other waits for the completion.
// Memory named by an op stays valid and unchanged (write) or untouched (read) until its completion.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace tailwater {

// A file that a machine knows; numbers are the machine's choice, valid from `open` to `close`, one name space
// per shard.
using FileId = StrongId<struct FileIdTag, std::uint64_t>;

// Comes back with the completion; means whatever the asking machine wants.
struct DiskToken {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(DiskToken, DiskToken) = default;
};

enum class DiskOpKind : std::uint8_t {
  open,  // path; create if absent and `create` is set; locks the file if `exclusive`. Done: size
  close,
  read,           // file, at, memory: fills as much of memory as the file has. Done: bytes read
  write,          // file, at, pieces
  sync,           // file
  sync_all,       // dir
  preallocate,    // file: blocks for [at, at+size); the visible size grows only if `extend` is set.
                  // (or if the file system cannot reserve space: then zeros are written). out_of_space is
                  // possible here
  truncate,       // file to exactly `size`
  zero,           // file: zeros and blocks for [at, at+size), beyond its end too
  create_folder,  // path, with the folders above it; no error if it exists
  rename,         // path to path2; a folder too; not_found if absent
  remove,         // path; a file or a whole folder; no error if absent
  replace,        // path := content, atomically and durably
  load,           // path: the whole small file comes back in Done::content; not_found if absent
  list,           // path: names in the folder come back in Done::names, sorted
};

struct DiskOp {
  DiskOpKind kind{};
  DiskToken token;
  DirId dir;  // whose errors take which directory offline
  FileId file;
  std::string path;  // relative to the log directory `dir`
  std::string path2;
  std::uint64_t at = 0;
  std::uint64_t size = 0;
  MutableBytes memory;  // read
  std::vector<Bytes>
      pieces;      // write: gathered in order; for a file opened `direct` each is aligned to kDiskBlock
  Buffer content;  // replace
  bool create = false;
  bool exclusive = false;
  bool direct =
      false;  // open: bypass the page cache where the file system can (the shell falls back by itself)
  bool durable = false;  // write, truncate, open, create_folder, rename, remove
  bool extend = false;   // preallocate
  bool urgent = false;   // on the acknowledged path: goes before everything else
};

struct DiskDone {
  DiskToken token;
  DirId dir;
  // Bytes or size; Errc::out_of_space, not_found, busy or storage. The first also says, of any operation, that there
  // was no descriptor for what it had to open: of a read, write or sync nothing was begun then, and everything
  // may be asked for again as it was.
  Result<std::uint64_t> outcome{0};
  Buffer content;
  std::vector<std::string> names;
};

// Alignment of addresses, lengths and positions of direct reads and writes.
inline constexpr std::size_t kDiskBlock = 4096;

}  // namespace tailwater
