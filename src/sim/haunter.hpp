// A client who haunts: it copies requests of transactional producers and sends them once more, on a connection
// of its own, at once or up to two minutes later, as a network does that keeps what it should have dropped.
// What it brings about is judged by those who read and by the producers themselves: a copy touches no later
// transaction (I11). Its own answers are judged where nothing but a refusal can be right: when its epoch is
// over (I10).
//
// Of producers whose epoch stays the same over many transactions it sends only Produce again, of which the
// sequence says where it belongs, until their epoch is over: of their other requests nothing says to which
// transaction they belong, in Kafka neither. That is what the bumping ones are there for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "sim/client.hpp"
#include "sim/faults.hpp"
#include "sim/ledger.hpp"
#include "sim/txn_watch.hpp"

namespace tailwater::sim {

// Whether an answer to a request of an epoch that is over says that something was done.
bool says_done(wire::ApiKey key, std::int16_t version, Bytes answer);

class Haunter {
 public:
  Haunter(Agenda& agenda, Network& network, Ledger& ledger, TxnWatch& watch, FaultCounts& counts);

  // Copies what this client asks. Whoever asks lives as long as the haunter.
  enum class Epochs : std::uint8_t { one_for_many, one_each };
  void follow(Client& client, Epochs epochs, std::function<ProducerIdentity()> identity);
  // Copies nothing new; what waits is sent soon.
  void finish();
  bool finished() const { return finishing_ && copies_.empty() && !client_.busy(); }
  Client& client() { return client_; }
  std::string state() const;

 private:
  struct Copy {
    wire::ApiKey key{};
    std::int16_t version = 0;
    ProducerIdentity identity;
    Epochs epochs{};
    Buffer frame;
  };

  void send(std::uint64_t number);

  Agenda& agenda_;
  Ledger& ledger_;
  TxnWatch& watch_;
  FaultCounts& counts_;
  Client client_;
  std::map<std::uint64_t, Copy> copies_;  // that wait
  std::uint64_t next_ = 0;
  bool finishing_ = false;
};

}  // namespace tailwater::sim
