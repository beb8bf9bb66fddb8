// A model consumer with isolation.level=read_committed: reads all partitions of a topic from their beginnings
// and drops, as clients do, what belongs to aborted transactions. What it is served is checked as every
// consumer's is; beyond that the epochs of a producer id only grow along a partition (I10).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "records/batch.hpp"
#include "sim/client.hpp"
#include "sim/fetching.hpp"
#include "sim/stable_watch.hpp"
#include "sim/txn_watch.hpp"
#include "wire/api/fetch.hpp"

namespace tailwater::sim {

// The newest along a partition, by producer id.
using Epochs = std::map<std::int64_t, std::int16_t>;
void check_epoch(Ledger& ledger, TrackNumber track, Epochs& epochs, const records::BatchView& batch);

class CommittedReader {
 public:
  CommittedReader(Agenda& agenda, Network& network, Ledger& ledger, TxnWatch& watch, std::string name,
                  Topic topic, const std::vector<TrackNumber>& tracks);

  void start() { step(); }
  void stop() { stopped_ = true; }
  // Has `watch` look at every answer; `calm` says since when nothing has kept the broker from its work.
  void report_to(StableWatch& watch, std::function<Instant()> calm) {
    stable_watch_ = &watch;
    calm_ = std::move(calm);
  }
  // Forgets how far it has come: only answers to requests from now on count.
  void look_anew();
  // Everything is decided, and read up to the ends, as of the last answers.
  bool at_end() const;
  const TxnWatch::Shown& shown() const { return shown_; }
  Client& client() { return client_; }
  std::string state() const;

 private:
  struct Partition {
    TrackNumber track;
    std::int64_t position = 0;
    std::int64_t stable = 0;  // the last stable offset of the last answer
    std::int64_t end = -1;    // its high watermark; -1: it is not known now
    Ledger::Floor floor;
    Epochs epochs;
  };

  void again();
  void step();
  void fetch();
  void find_latest();
  void take(const wire::FetchResponse& response);
  // What stands here is damaged.
  void skip(Partition& partition);
  void read(Partition& partition, const wire::FetchResponsePartitionData& answer);

  Agenda& agenda_;
  Ledger& ledger_;
  TxnWatch& watch_;
  Topic topic_;
  Fetching fetching_;
  std::int16_t offsets_version_;
  Client client_;
  std::vector<Partition> partitions_;
  TxnWatch::Shown shown_;
  StableWatch* stable_watch_ = nullptr;
  std::function<Instant()> calm_;
  Instant asked_;
  bool stopped_ = false;
  bool stale_ = false;  // what is under way was asked before the last new look
  bool step_asked_ = false;
};

}  // namespace tailwater::sim
