// The disk of the simulated machine: a disk model with time. It outlives its brokers. Operations take random
// times and are carried out, in any order, at the moment in which their completion is told; so whatever is
// still in flight when a process or the machine dies may or may not have happened.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/disk.hpp"
#include "disk_model/disk.hpp"
#include "sim/agenda.hpp"
#include "sim/digest.hpp"
#include "sim/faults.hpp"

namespace tailwater::sim {

// A journal whose frames are stable before they count. Not the one of topics with tailwater.durability=os, of
// which a power loss may take the end anyway.
bool is_hard_ring(std::string_view path);

class Disk {
 public:
  using Done = std::move_only_function<void(DiskDone)>;

  Disk(Agenda& agenda, Digest& digest, FaultCounts* counts = nullptr)
      : agenda_(agenda), digest_(digest), counts_(counts) {}

  // The completions of `user` go to `done`, until it leaves: a restarted broker is another user.
  std::uint64_t enter(Done done);
  void submit(std::uint64_t user, DiskOp op);
  // From now on a write takes so long, instead of a short random time (zero).
  void set_write_time(Duration time) { write_time_ = time; }

  // The process ends in peace: what is in flight is finished first.
  void leave(std::uint64_t user);
  // The process is killed: what is in flight did not begin, is done, or is a write that lands later. Until
  // then its file stays locked. To be called while the memory of its writes is still there.
  void kill(std::uint64_t user);
  // The power is gone: what is in flight is on the disk in part. Then, when all users are gone, lose(),
  // while the memory of their writes is still there.
  void cut_off(std::uint64_t user);
  void lose();

  // --- faults, at the next operation of the kind; what is armed and has not fired can be taken back
  void arm(Fault fault) { armed_ = fault; }
  void disarm() { armed_.reset(); }
  void disarm_writes();
  bool armed(Fault fault) const { return armed_ == fault; }
  // A superblock that was told to be written, and went astray.
  struct Astray {
    std::string path;
    std::shared_ptr<disk_model::File> file;
  };
  std::optional<Astray> take_astray() { return std::exchange(astray_, std::nullopt); }
  void set_no_room(bool value) { model_.no_room = value; }
  void set_slow(std::uint64_t factor) { slowness_ = factor; }
  // Once, when a frame of a journal is on the disk before one that was sent before it.
  void at_overtaking(std::move_only_function<void()> then) { at_overtaking_ = std::move(then); }
  // True after an error was told to a user that is still there.
  bool has_failed() const { return failed_; }
  // The same for having no room.
  bool has_run_out() const { return ran_out_; }

  // By "<directory>/<path>".
  const std::map<std::string, std::shared_ptr<disk_model::File>>& files() const { return model_.files(); }
  // The same names of folders.
  const std::set<std::string>& folders() const { return model_.folders(); }
  std::size_t open_files() const { return model_.open_files(); }
  std::vector<std::string> open_without_name() const { return model_.open_without_name(); }
  std::uint64_t bytes() const { return model_.bytes(); }
  std::uint64_t operations() const { return operations_; }
  // What no user of a disk may do.
  const std::vector<std::string>& complaints() const { return model_.complaints(); }

 private:
  struct Flight {
    std::uint64_t user = 0;
    DiskOp op;
    disk_model::Sequence submitted = 0;
    std::uint32_t crc = 0;
    Buffer copy;  // of a write whose process is dead
  };

  std::vector<std::uint64_t> flights_of(std::uint64_t user) const;
  void land(std::uint64_t flight);
  void land_late(Flight flight);
  bool fails(const DiskOp& op);
  bool goes_astray(const Flight& flight) const;
  bool is_frame(const Flight& flight) const;
  bool overtakes(std::uint64_t id, const Flight& flight) const;
  DiskDone lose_write(Flight& flight);
  void count(Fault fault, std::uint64_t times = 1) {
    if (counts_ != nullptr && times > 0) counts_->add(fault, times);
  }
  void forget_if_done(std::uint64_t user);

  Agenda& agenda_;
  Digest& digest_;
  FaultCounts* counts_;
  disk_model::Disk model_;
  std::map<std::uint64_t, Done> users_;
  std::vector<std::uint64_t> cut_off_;
  std::map<std::uint64_t, Flight> flights_;
  std::uint64_t next_flight_ = 1;
  std::uint64_t operations_ = 0;
  Duration write_time_;
  std::optional<Fault> armed_;
  std::optional<Astray> astray_;
  std::move_only_function<void()> at_overtaking_;
  std::uint64_t slowness_ = 1;
  bool failed_ = false;
  bool ran_out_ = false;
};

}  // namespace tailwater::sim
