// Files of segments that nobody needs any more, kept for segments to come: the disk has blocks for them
// already, and gives new ones more slowly (decision 0015).
//   recycled/<shard>-<number>-<bytes>.old    came from a log, and still holds what it held there
//   recycled/<shard>-<number>-<bytes>.blank  holds zeros, on stable storage, up to its end
//   in    the janitor renames a file to an .old one instead of removing it (admit(), admitted()). Here it is
//         opened and locked, so that a dead process's writes have landed; cut to whole blocks; zeroed; synced;
//         closed; renamed to .blank. One file at a time
//   out   the flusher renames a .blank one to the name of a segment that never had a file (take(), taken())
//   full  where there is no room for something else all of them are removed first (give_way())
// The folder is one for all shards and counts; what is known of it here is only what it held when last looked
// at, and a file that has gone is no error. A start does not wait for any of it.
// GUARANTEES: no file leaves with old bytes in it, whenever the power fails: it is blank for good before it
// is called so.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/disk.hpp"
#include "base/time.hpp"
#include "core/log/shared.hpp"

namespace tailwater::log {

// Where no log looks, nor Apache Kafka's tools: the name is not a partition's.
inline constexpr std::string_view kRecycled = "recycled";

// How large the segment is likely to become: as large as the one before it.
std::uint64_t likely_bytes(const LogState& log, const Segment& segment);
// Of the segment's file of records, in whole blocks.
std::uint64_t file_bytes(const Segment& segment);

class Recycler {
 public:
  explicit Recycler(Directory& dir) : dir_(dir) {}
  Recycler(const Recycler&) = delete;
  Recycler& operator=(const Recycler&) = delete;

  // --- in
  // Whether a file of so many bytes is worth keeping, and there is room for it.
  bool takes(std::uint64_t bytes) const;
  // The path to rename it to. REQUIRES: takes(bytes); admitted() follows.
  std::string admit(std::uint64_t bytes);
  void admitted(const std::string& path, bool came);

  // --- out
  struct Spare {
    std::string path;
    std::uint64_t bytes = 0;
  };
  // The largest one with at most so many bytes. taken() follows.
  std::optional<Spare> take(std::uint64_t bytes_max);
  void taken(const Spare& spare, bool went);

  // --- full
  // Somebody found no room. True: files are being removed for that, it is worth asking again soon.
  bool give_way();
  bool giving_way() const { return way_ != Way::kept; }

  // --- life. A soft directory uses that of its twin.
  void turn();
  void completed(const DiskDone& done);
  Instant next_deadline() const;
  // Nothing is on its way, and no file is open.
  bool quiet() const { return outstanding_ == 0 && !blanking_; }

 private:
  enum class Way : std::uint8_t {
    kept,
    wanted,    // all of them have to go,
    removing,  // they go,
    given,     // and have gone: now there may be room
  };
  enum class Step : std::uint8_t { none, list, folder, open, busy, cut, zero, sync, close, rename, remove };
  enum class State : std::uint8_t { arriving, old, blank, leaving };
  struct File {
    std::uint64_t bytes = 0;
    State state = State::old;
  };

  using FileMap = std::map<std::string, File>;  // by name
  enum class Whose : std::uint8_t { own, everybodys };

  // Nobody is moving it just now.
  static bool rests(const File& file) { return file.state == State::old || file.state == State::blank; }
  bool on() const { return bytes_max() > 0 && can_zero_; }
  std::uint64_t bytes_max() const;
  std::uint64_t bytes_min() const;
  bool is_own(std::string_view name) const;
  void put(const std::string& name, File file);
  FileMap::iterator drop(FileMap::iterator file);
  void send(Step step, DiskOpKind kind);
  void send_name(DiskOpKind kind, const std::string& name, const std::string& name2 = {});
  bool wants_look() const;
  void listed(const DiskDone& done);
  void remove_files(std::uint64_t leave, Whose whose);
  FileMap::const_iterator next_old() const;
  void blank_next();
  void blank_further(const DiskDone& done);
  void opened(const DiskDone& done);
  void renamed(const DiskDone& done);
  void stop_blanking();
  // It is of no use.
  void drop_blanking();

  Directory& dir_;
  FileMap files_;
  std::uint64_t bytes_ = 0;  // of all of them
  std::uint64_t next_number_ = 1;
  bool can_zero_ = true;
  bool known_ = false;  // the folder is there, and was looked into
  bool look_due_ = false;
  Instant look_not_before_;
  Step step_ = Step::none;
  std::uint32_t outstanding_ = 0;
  std::optional<std::string> blanking_;  // its file is open, or about to be
  bool blank_ = false;                   // it is
  Instant retry_at_ = Instant::max();
  Instant give_up_at_;
  Way way_ = Way::kept;
  Instant given_at_;
  Instant refill_not_before_;
};

}  // namespace tailwater::log
