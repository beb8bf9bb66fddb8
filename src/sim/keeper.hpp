// A model client who keeps the latest value of each key in a compacted topic: it writes versions of keys, now
// and then a tombstone, and reads all of it from the beginning again and again. Each time the last that it
// finds of a key is the last that was acknowledged, whatever compaction has taken away meanwhile (I16); unless
// it was told that what lies there is damaged.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/client.hpp"
#include "sim/fetching.hpp"
#include "sim/ledger.hpp"
#include "wire/api/fetch.hpp"

namespace tailwater::sim {

class Keeper {
 public:
  Keeper(Agenda& agenda, Network& network, Ledger& ledger, Topic topic, TrackNumber track,
         Duration pause_max);

  void start() { step(); }
  // What is under way is brought to an end, and all is read once more.
  void finish() { finishing_ = true; }
  bool finished() const { return phase_ == Phase::over; }
  Client& client() { return client_; }
  std::string state() const;

 private:
  enum class Phase : std::uint8_t { starting, writing, reading, over };
  struct Version {
    std::uint64_t number = 0;
    bool tombstone = false;
    std::int64_t offset = -1;
  };
  using Versions = std::map<std::string, Version>;

  void again(Duration bound);
  void step();
  void ask_id();
  void make_batch();
  void write();
  void begin_reading();
  void read();
  void take(const wire::FetchResponsePartitionData& answer);
  void judge();
  bool is_damaged(std::int64_t offset) const;

  Agenda& agenda_;
  Ledger& ledger_;
  Topic topic_;
  TrackNumber track_;  // of which the ledger knows only what is damaged
  Duration pause_max_;
  Fetching fetching_;
  std::int16_t produce_version_;
  Client client_;
  Phase phase_ = Phase::starting;
  std::int64_t producer_id_ = -1;
  std::int32_t sequence_ = 0;
  std::uint64_t next_version_ = 1;
  Buffer batch_;  // the one that is to be sent (again); what it holds:
  Versions in_batch_;
  std::int32_t batch_records_ = 0;
  std::uint64_t batches_left_ = 0;  // before the next reading
  Versions kept_;                   // acknowledged
  Versions found_;                  // by the present reading
  std::int64_t position_ = 0;
  std::vector<std::pair<std::int64_t, std::int64_t>> damaged_;  // as the present reading was told
  bool last_ = false;                                           // reading
  bool finishing_ = false;
  bool step_asked_ = false;
};

}  // namespace tailwater::sim
