// A model producer. Idempotent: batches with sequences, up to five of them under way, sent again in order
// until they are acknowledged. Plain: one batch under way, sent again or given up when the outcome is
// unknown; now and then a batch that must be refused. What was promised to it goes into the ledger.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "sim/client.hpp"
#include "sim/ledger.hpp"
#include "sim/versions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/produce.hpp"

namespace tailwater::sim {

struct ProducerSetup {
  std::string name;
  Topic topic;
  std::vector<TrackNumber> tracks;  // by partition
  Promise promise = Promise::exactly_once;
  std::int16_t acks = -1;
  Duration pause_max = Duration::from_ms(100);
  std::uint64_t records_max = 20;  // of a batch
  std::size_t padding_max = 300;   // of a record
};

class Producer {
 public:
  Producer(Agenda& agenda, Network& network, Ledger& ledger, ProducerSetup setup);

  void start() { step(); }
  // Begins nothing new: what is under way is brought to an end.
  void finish() { finishing_ = true; }
  bool finished() const;
  Client& client() { return client_; }
  // What it is about, for reports of seeds that do not come to an end.
  std::string state() const;

 private:
  struct Batch {
    std::uint64_t first = 0;  // number of the first record
    std::uint64_t count = 0;
    Buffer bytes;
    bool under_way = false;
    bool in_doubt = false;  // it may be in the log, though nobody has said so
    bool poison = false;
  };
  struct Partition {
    std::deque<Batch> batches;  // not acknowledged yet
    std::int32_t next_sequence = 0;
    bool known = false;  // a batch was acknowledged
  };

  bool idempotent() const { return setup_.promise == Promise::exactly_once; }
  void again();
  void step();
  void ask_id();
  void lost();
  bool send_next();
  // The partition's batch that may be sent now; null if there is none.
  static Batch* sendable(Partition& partition);
  void make_batch(std::size_t partition);
  void send(std::size_t partition, Batch& batch);
  void answered(std::size_t partition, std::uint64_t first, const wire::ProduceResponse& response);
  void refused(Partition& partition, Batch& batch, wire::ErrorCode error);
  void give_up_or_keep(Partition& partition);

  Agenda& agenda_;
  Ledger& ledger_;
  ProducerSetup setup_;
  WriterNumber writer_;
  std::int16_t produce_version_;
  std::int16_t id_version_;
  Client client_;
  std::int64_t producer_id_ = -1;
  std::vector<Partition> partitions_;
  Instant rest_until_;
  bool step_asked_ = false;
  bool finishing_ = false;
};

}  // namespace tailwater::sim
