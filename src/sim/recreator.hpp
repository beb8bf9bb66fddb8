// A model client with a topic of its own that it deletes and creates anew, again and again, under one name.
// In each life of the topic it writes, reads everything back from the beginning, and finds nothing of the
// lives before. It says which life it means by the topic's id, so that requests that come late cannot mean
// another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/uuid.hpp"
#include "sim/client.hpp"
#include "sim/ledger.hpp"
#include "sim/versions.hpp"
#include "wire/api/fetch.hpp"
#include "wire/api/produce.hpp"

namespace tailwater::sim {

struct RecreatorSetup {
  std::string name;
  std::string topic;
  std::int32_t partitions = 1;
  std::uint64_t delete_delay_ms = 0;  // file.delete.delay.ms
};

class Recreator {
 public:
  Recreator(Agenda& agenda, Network& network, Ledger& ledger, RecreatorSetup setup);

  void start() { step(); }
  // Brings this life to its end; no other follows.
  void finish();
  bool finished() const { return phase_ == Phase::over; }
  Client& client() { return client_; }
  std::string state() const;

 private:
  enum class Phase : std::uint8_t { creating, finding, writing, reading, deleting, over };
  struct Partition {
    TrackNumber track;
    Ledger::Floor floor;
    std::int64_t position = 0;
    bool at_end = false;
  };

  void again(Duration most);
  void step();
  void create();
  void find();
  void begin_life(Uuid id);
  void write();
  void make_batch();
  void written(const wire::ProduceResponse& response);
  void end_round();
  void begin_reading();
  void read();
  void take(const wire::FetchResponse& response);
  void remove();
  void end_life();

  Agenda& agenda_;
  Ledger& ledger_;
  RecreatorSetup setup_;
  WriterNumber writer_;
  std::int16_t produce_version_;
  std::int16_t fetch_version_;
  Client client_;
  Phase phase_ = Phase::creating;
  std::uint64_t life_ = 0;
  Uuid id_;
  std::vector<Partition> partitions_;
  std::uint64_t rounds_ = 0;   // of writing and reading, before the end of this life
  std::uint64_t batches_ = 0;  // before the end of this round
  Buffer batch_;               // until it is acknowledged
  std::size_t partition_ = 0;  // where it goes
  std::uint64_t first_ = 0;    // its records
  std::uint64_t count_ = 0;
  bool finishing_ = false;
  bool step_asked_ = false;
};

}  // namespace tailwater::sim
