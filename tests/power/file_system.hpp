// A file system in memory that has a power switch. What a program may rely on is what POSIX says, and no
// more:
//   content  survives a durable write of these bytes, or an fsync of the file that began after the write was
//            done
//   names    survive an fsync of their folder; with it go the names of this folder and of those above it, as
//            every journaling file system has it. An fsync of a file does not keep its name
// Everything else is taken back or not, each for itself, when the power is cut (disk_model/file.hpp: content
// in sectors of 512 bytes, each in any of its states since it was last stable). Every operation returns 0 or
// more, or an errno below zero. One lock: all of it may be called by any thread.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "disk_model/file.hpp"

namespace tailwater::power {

// A file or a folder, whatever it is called.
struct Node {
  std::uint64_t number = 0;
  mode_t mode = 0;
  timespec changed{};
  disk_model::File file;
  std::map<std::string, std::shared_ptr<Node>, std::less<>> names;   // of a folder, as programs see it
  std::map<std::string, std::shared_ptr<Node>, std::less<>> stable;  // and as it would be after a power cut
  std::weak_ptr<Node> parent;

  bool is_folder() const { return S_ISDIR(mode); }
};
using NodePtr = std::shared_ptr<Node>;

// What a program has open. It is worth nothing after the power was cut.
struct Handle {
  NodePtr node;
  std::uint64_t life = 0;
};

class FileSystem {
 public:
  FileSystem();

  // --- names
  int look(std::string_view path, const Handle* handle, struct stat& status);
  int list(const Handle& handle, const std::function<void(const std::string&)>& each);
  int make_folder(std::string_view path, mode_t mode);
  int create(std::string_view path, mode_t mode, bool must_be_new, Handle& handle);
  int open(std::string_view path, bool folder, Handle& handle);
  int remove(std::string_view path, bool folder);
  int rename(std::string_view from, std::string_view to, bool may_replace);
  int set_mode(std::string_view path, mode_t mode);

  // --- content
  int read(const Handle& handle, std::uint64_t at, MutableBytes memory);
  int write(const Handle& handle, std::uint64_t at, Bytes bytes, bool durable);
  int truncate(std::string_view path, const Handle* handle, std::uint64_t size);
  int allocate(const Handle& handle, std::uint64_t end, bool extend);
  // What a sync that begins now makes stable: everything up to this moment.
  disk_model::Sequence moment();
  int sync(const Handle& handle, disk_model::Sequence until);

  // --- power
  // Everything that is not stable is taken back or not, as the seed says; then nothing works until
  // power_on(). `at_that_moment` is called when nothing is done for anybody any more.
  disk_model::Losses cut(std::uint64_t seed, const std::function<void()>& at_that_moment);
  void power_on();
  // For a look at how things went: operations so far that make something stable.
  std::uint64_t durable_writes() const { return durable_writes_; }
  std::uint64_t syncs() const { return syncs_; }

 private:
  // A change of names that is not stable. A rename has two folders, everything else has one.
  struct Change {
    NodePtr node;
    NodePtr from;  // nullptr: the node is new
    std::string from_name;
    NodePtr to;  // nullptr: it is gone
    std::string to_name;
  };
  struct Place {
    NodePtr folder;
    std::string name;
  };

  NodePtr find(std::string_view path) const;
  // The folder that has, or would have, the last name of the path.
  Place place_of(std::string_view path) const;
  NodePtr add(const Place& place, mode_t mode);
  void change(Change change);
  static void make_stable(const Change& change);
  void harden_names(const NodePtr& folder);
  bool works(const Handle& handle) const { return powered_ && handle.life == life_; }

  mutable std::mutex mutex_;
  bool powered_ = true;
  std::uint64_t life_ = 1;
  std::uint64_t next_number_ = 1;
  disk_model::Sequence sequence_ = 1;
  NodePtr root_;
  std::vector<Change> changes_;
  std::uint64_t durable_writes_ = 0;
  std::uint64_t syncs_ = 0;
};

}  // namespace tailwater::power
