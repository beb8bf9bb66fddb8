// A model consumer that reads all partitions of a topic from their beginnings, checks what it is shown, and
// goes on for ever, asking now and then where they end (I15); or reads up to the ends and is done.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sim/client.hpp"
#include "sim/fetching.hpp"
#include "sim/ledger.hpp"
#include "wire/api/fetch.hpp"
#include "wire/api/list_offsets.hpp"

namespace tailwater::sim {

// Checks one partition of a fetch's answer against the ledger. Returns the position behind what was read.
// `position` is where the fetch began; `error` is set for what the reader has to act upon.
std::int64_t check_fetched(Ledger& ledger, TrackNumber track, Ledger::Floor floor, std::int64_t position,
                           const wire::FetchResponsePartitionData& answer);

enum class Isolation : std::int8_t { none = 0, committed = 1 };
// Where these partitions begin now, for readers that were told to be out of range; and where they end.
wire::ListOffsetsRequest ask_starts(const std::string& topic, const std::vector<std::int32_t>& partitions);
wire::ListOffsetsRequest ask_latest(const std::string& topic, std::size_t partitions, Isolation isolation);
// Of all partitions, whose floors are of the request.
void check_latest(Ledger& ledger, const std::vector<std::pair<TrackNumber, Ledger::Floor>>& asked,
                  Isolation isolation, const wire::ListOffsetsResponse& response);
// A reader goes on here. `floor` is of the fetch that was refused. REQUIRES: an answer without error.
std::int64_t start_of(Ledger& ledger, TrackNumber track, Ledger::Floor floor, std::int64_t position,
                      const wire::ListOffsetsResponse::ListOffsetsPartitionResponse& answer);

class Consumer {
 public:
  enum class Until : std::uint8_t { stopped, end };

  Consumer(Agenda& agenda, Network& network, Ledger& ledger, std::string name, Topic topic,
           std::vector<TrackNumber> tracks, Until until);

  void start() { step(); }
  void stop() { stopped_ = true; }
  // Until::end: everything up to the ends is read.
  bool done() const { return done_; }
  Client& client() { return client_; }
  std::string state() const;

 private:
  struct Partition {
    TrackNumber track;
    std::int64_t position = 0;
    bool lost = false;  // the position is out of range: the log's start is to be asked for
    bool at_end = false;
    Ledger::Floor floor;
  };

  void again();
  void step();
  void fetch();
  void take(const wire::FetchResponse& response);
  void find_starts();
  void find_latest();

  Agenda& agenda_;
  Ledger& ledger_;
  Topic topic_;
  Until until_;
  Fetching fetching_;
  std::int16_t offsets_version_;
  Client client_;
  std::vector<Partition> partitions_;
  bool stopped_ = false;
  bool done_ = false;
  bool step_asked_ = false;
};

}  // namespace tailwater::sim
