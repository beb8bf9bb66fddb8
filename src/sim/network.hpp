// The network between model clients and the simulated broker: connections are pairs of byte streams, each
// first-in first-out, with random delays; connections are not ordered against each other. A stream may stall,
// break in the middle of a frame, or lose one of its ends without a word.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "base/bytes.hpp"
#include "sim/agenda.hpp"

namespace tailwater::sim {

// A client's end of a connection.
class Wire {
 public:
  virtual ~Wire() = default;
  virtual void bytes_arrived(Bytes bytes) = 0;
  virtual void closed() = 0;
};

// The broker's end of all connections.
class Host {
 public:
  virtual ~Host() = default;
  virtual void opened(std::uint64_t connection) = 0;
  virtual void readable(std::uint64_t connection) = 0;
  // The client closed it, it broke, or it was idle for too long. Nothing follows.
  virtual void broken(std::uint64_t connection) = 0;
};

class Network {
 public:
  Network(Agenda& agenda, Host& host) : agenda_(agenda), host_(host) {}

  // --- clients
  // A connection of `wire`, which outlives it or leaves; 0 if nobody listens.
  std::uint64_t connect(Wire& wire);
  void send(std::uint64_t connection, Buffer bytes);
  void disconnect(std::uint64_t connection);
  // The client is gone without a word.
  void vanish(std::uint64_t connection);

  // --- the broker
  void listen(bool listening) { listening_ = listening; }
  // Takes what arrived, a random part of it; 0: nothing.
  std::size_t take(std::uint64_t connection, MutableBytes into);
  void send_back(std::uint64_t connection, Buffer bytes);
  // Closes it when everything has been sent.
  void close(std::uint64_t connection);
  // The broker's process is gone: its kernel closes all connections behind what was sent.
  void host_died();
  // The broker's machine is gone: clients hear nothing, until they send to its successor.
  void host_vanished();

  // --- faults
  void reset(std::uint64_t connection);
  void cut_until(Instant to_broker, Instant to_clients);
  void set_delay_max(Duration delay) { delay_max_ = delay; }
  void set_idle_max(Duration idle) { idle_max_ = idle; }

  std::size_t open() const { return connections_.size(); }
  // Those with two ends.
  std::vector<std::uint64_t> connections() const;

 private:
  struct Connection {
    Wire* wire = nullptr;        // null: the client is gone, and the broker does not know
    bool at_host = false;        // false: the broker is gone
    std::deque<Buffer> flying;   // to the broker, under way
    std::deque<Buffer> arrived;  // at the broker's machine, not read yet
    std::size_t arrived_offset = 0;
    Instant last_arrival;    // of bytes to the broker; later ones arrive later
    Instant last_departure;  // of bytes to the client
    Instant last_heard;      // by the broker
  };

  Connection* find(std::uint64_t id);
  Duration delay();
  void arrive(std::uint64_t id);
  void watch_idle(std::uint64_t id);
  void tell_client_closed(std::uint64_t id, Instant when);

  Agenda& agenda_;
  Host& host_;
  bool listening_ = false;
  Duration delay_max_ = Duration::from_us(500);
  Duration idle_max_ = Duration::max();
  Instant cut_to_broker_;
  Instant cut_to_clients_;
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t next_connection_ = 1;
};

}  // namespace tailwater::sim
