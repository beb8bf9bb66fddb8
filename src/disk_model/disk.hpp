// A make-believe disk: named files in memory, users that have some of them open, and what of it all would
// survive a power loss. It carries operations out when told to, at once and without time of its own; when, in
// which order and whether at all is its owner's choice (a simulator, a test). What a process may rely on is
// written in base/disk.hpp, and not more is given here:
//   content  stable after a durable write of these bytes, or when a sync or sync_all that was submitted after
//            the write was carried out is done
//   names    created, renamed and removed names are volatile until a durable operation on a name in the same
//            folder, or sync_all, that was submitted afterwards is done; a power loss takes each other one
//            back or not
// What is not stable can be listed, and a power loss take any choice of it (crash_states.hpp goes through
// these); lose() lets chance choose.
// Misuse is complained about: unaligned direct writes, writes without a lock, blocks that were not allocated,
// renames that nothing makes stable, files that are used again and bring old bytes along.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.hpp"
#include "base/prng.hpp"
#include "disk_model/file.hpp"

namespace tailwater::disk_model {

// A process that uses the disk, or a shard of one.
using UserId = std::uint64_t;

// What a durable write makes stable: the least that is promised, its own bytes (O_DSYNC); or, where an
// fdatasync follows it, everything that was done to the file before it was submitted, too.
enum class DurableWrite : std::uint8_t { own_bytes, whole_file };

class Disk {
 public:
  explicit Disk(DurableWrite durable_write = DurableWrite::own_bytes) : durable_write_(durable_write) {}
  // The folder for files that wait for another use: one that comes from there is blank for good.
  static constexpr std::string_view kSetAside = "recycled";

  // The same disk once more, with whoever has files open.
  Disk(const Disk& other);
  Disk& operator=(const Disk&) = delete;

  UserId enter();
  // Everything that the user has open is closed.
  void leave(UserId user);

  // The present moment, for operations that are submitted now.
  Sequence now() const { return sequence_; }
  // Carries the operation out; `submitted` is what now() was when it was asked for.
  DiskDone perform(UserId user, DiskOp& op, Sequence submitted);
  // The same for an operation whose outcome nobody waits for any more: nothing of it becomes stable. Of a
  // write the bytes before and behind `cut` are lost apart from each other.
  void perform_in_part(UserId user, DiskOp& op, std::uint64_t cut = 0);
  // An error, told to the asker: of a write some sectors may be in the file, a sync leaves what it was to
  // harden in doubt for ever (of all files of a directory, which is a file system of its own), and
  // everybody else whose bytes those are is told at the next sync.
  DiskDone refuse(UserId user, const DiskOp& op, Error error, Prng& random);

  // What a power loss takes or leaves.
  std::vector<Unsettled> unsettled() const;
  // Power loss that leaves of unsettled() what `kept` says. REQUIRES: nobody has anything open.
  void settle(const std::vector<bool>& kept);
  // Power loss by chance.
  Losses lose(Prng& random);

  // --- what may be wrong with it
  bool no_room = false;  // creating, preallocating and replacing find no room

  // --- looks
  const std::vector<std::string>& complaints() const { return complaints_; }
  void complain(std::string what) { complaints_.push_back(std::move(what)); }
  // By "<directory>/<path>".
  const std::map<std::string, std::shared_ptr<File>>& files() const { return tree_.files; }
  std::string path_of(UserId user, FileId file) const;
  File* find(UserId user, FileId file);
  std::size_t open_files() const { return open_.size(); }
  // Files that somebody has open and that have no name any more.
  std::vector<std::string> open_without_name() const;
  const std::set<std::string>& folders() const { return tree_.folders; }
  static std::string full_path(DirId dir, const std::string& path);
  std::uint64_t bytes() const;

 private:
  using FilePtr = std::shared_ptr<File>;
  struct Tree {
    std::map<std::string, FilePtr> files;
    std::set<std::string> folders;
  };
  struct Open {
    FilePtr file;
    std::string path;
    DirId dir;
    bool direct = false;
    bool exclusive = false;
  };
  // A change of names that a power loss may take back. A folder is renamed with all that is in it, and
  // removed name by name.
  struct Change {
    enum class Kind : std::uint8_t { create, create_folder, rename, remove };
    Sequence when = 0;
    Kind kind{};
    std::string path;
    std::string path2;
    FilePtr file;
  };
  using OpenFiles = std::map<std::pair<UserId, FileId>, Open>;

  DiskDone with_file(UserId user, Open& open, DiskOp& op, Sequence submitted);
  DiskDone with_name(UserId user, DiskOp& op, Sequence submitted);
  static void unlock(const Open& open);
  void write(Open& open, const DiskOp& op, Sequence submitted);
  DiskDone zero(Open& open, const DiskOp& op);
  DiskDone open_file(UserId user, const DiskOp& op, Sequence submitted);
  DiskDone replace(DiskOp& op, Sequence submitted);
  DiskDone list(const DiskOp& op) const;
  DiskDone sync_all(const DiskOp& op, Sequence submitted);
  void create_folders(const std::string& path);
  void remove(const std::string& path);
  void change(Change::Kind kind, const std::string& path, const std::string& path2 = {},
              FilePtr file = nullptr);
  // A durable operation on the names was done.
  void harden_names(const std::string& path, const std::string& path2, Sequence submitted);
  static void apply(Tree& tree, const Change& change);
  struct Found {
    FilePtr file;
    DirId dir;
  };
  std::vector<Found> all_files() const;

  DurableWrite durable_write_;
  OpenFiles open_;
  Tree tree_;
  Tree stable_;
  std::vector<Change> changes_;  // what tree_ has beyond stable_
  UserId next_user_ = 1;
  // Directories in which a sync_all of others failed, and this user was not told yet.
  std::map<UserId, std::set<DirId>> users_;
  Sequence sequence_ = 1;
  std::vector<std::string> complaints_;
};

}  // namespace tailwater::disk_model
