// A model operator who deletes the beginnings of partitions with DeleteRecords, again and again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/client.hpp"
#include "sim/ledger.hpp"

namespace tailwater::sim {

class Trimmer {
 public:
  Trimmer(Agenda& agenda, Network& network, Ledger& ledger, std::string topic,
          std::vector<TrackNumber> tracks);

  void start() { again(); }
  void finish() { finishing_ = true; }
  bool finished() const { return finishing_ && !client_.busy(); }
  Client& client() { return client_; }

 private:
  void again();
  void ask();

  Agenda& agenda_;
  Ledger& ledger_;
  std::string topic_;
  std::vector<TrackNumber> tracks_;
  Client client_;
  bool finishing_ = false;
};

}  // namespace tailwater::sim
