// A make-believe disk that outlives its broker: files in memory, operations that finish after random times
// and in any order. Content changes when an operation is submitted and is told when it finishes; what a write
// or sync promised is not taken back here (faults come with the power-failure work).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/disk.hpp"
#include "sim/agenda.hpp"
#include "sim/digest.hpp"

namespace tailwater::sim {

class Disk {
 public:
  using Done = std::function<void(DiskDone)>;

  Disk(Agenda& agenda, Digest& digest) : agenda_(agenda), digest_(digest) {}

  // The completions of `user` go to `done`, until it leaves: a restarted broker is another user.
  std::uint64_t enter(Done done);
  void leave(std::uint64_t user);

  void submit(std::uint64_t user, DiskOp op);
  // From now on a write takes so long, instead of a short random time (zero).
  void set_write_time(Duration time) { write_time_ = time; }
  std::uint64_t bytes() const;
  std::uint64_t operations() const { return operations_; }

 private:
  struct File {
    Buffer content;
    std::uint64_t locked_by = 0;
  };
  struct User {
    Done done;
    std::map<FileId, std::shared_ptr<File>> open;
  };

  DiskDone carry_out(std::uint64_t user, DiskOp& op);
  DiskDone structural(std::uint64_t user_id, User& user, DiskOp& op);
  DiskDone open_file(std::uint64_t user_id, User& user, const DiskOp& op);
  void rename(const std::string& from, const std::string& to);
  void remove(const std::string& path);
  static std::string path_of(DirId dir, const std::string& path);

  Agenda& agenda_;
  Digest& digest_;
  std::map<std::string, std::shared_ptr<File>> files_;  // by "<dir>/<path>"
  std::map<std::uint64_t, User> users_;
  std::uint64_t next_user_ = 1;
  std::uint64_t operations_ = 0;
  Duration write_time_;
};

}  // namespace tailwater::sim
