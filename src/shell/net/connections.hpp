// The open connections of one shard: reading, sending, idling and ending. It moves bytes between streams and
// whoever serves them (ConnectionMachine) and knows nothing of what they mean.
//
// GUARANTEES: per gather a connection is read for at most `read_per_turn` bytes, so that none starves the
// others; a connection whose receive_space() is empty is not read until resume(); what a peer sent before it
// ended reaches the machine, and has had a turn there, before disconnected(). In the steady state nothing is
// allocated per request. Readiness comes edge-triggered from the poller: what was not drained stays queued
// here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "node/ports.hpp"
#include "shell/net/accepted_socket.hpp"
#include "shell/net/poller.hpp"
#include "shell/net/stream.hpp"

namespace tailwater::shell {

// Who serves the connections: a shard, or a script in tests. The functions are those of node::Shard.
class ConnectionMachine {
 public:
  virtual ~ConnectionMachine() = default;
  virtual void connected(ConnectionId connection, ListenerId listener, node::Peer peer, Now now) = 0;
  virtual MutableBytes receive_space(ConnectionId connection) = 0;
  virtual void received(ConnectionId connection, std::size_t bytes, Now now) = 0;
  virtual std::size_t gather(ConnectionId connection, std::span<Bytes> pieces) = 0;
  virtual void sent(ConnectionId connection, std::size_t bytes, Now now) = 0;
  virtual void disconnected(ConnectionId connection) = 0;
};

struct ConnectionOptions {
  std::size_t read_per_turn = 1 << 20;
  // Whoever reads a lot does not hold up the others. Small answers go at once; of larger ones all connections
  // together send a slice in a turn, in the order in which they came, and more of them as long as nothing else is to
  // be done.
  std::size_t small_send = 64 << 10;
  std::size_t send_slice = 1 << 20;
  std::size_t send_per_turn = 4 << 20;
  Duration idle_max = Duration::max();  // max: never closed for idling
};

struct ConnectionCounters {
  std::uint64_t adopted = 0;
  std::uint64_t closed_idle = 0;
  std::uint64_t ended_by_peer = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t receives = 0;  // that streams were asked for, whatever came
  std::uint64_t sends = 0;
};

class Connections {
 public:
  using Release = std::function<void(const IpKey&)>;  // told of each connection that is gone
  using MakeStream = std::function<std::unique_ptr<Stream>(ListenerId, Descriptor)>;

  Connections(ShardId shard, Poller& poller, ConnectionMachine& machine, ConnectionOptions options,
              Release release, MakeStream make_stream);
  ~Connections();

  void adopt(AcceptedSocket accepted, Now now);
  // What the poller reported under one of this object's keys.
  void on_event(std::uint64_t key, std::uint32_t events);

  // Reads what is readable.
  void gather(Now now);
  // Sends what the machine has for this connection, or puts it in line if that is a lot. True: something was
  // sent.
  bool flush(ConnectionId id, Now now);
  // Sends what waits in line, as far as this turn allows: a slice, less or more of it by what came since the last, and
  // more while nothing becomes ready meanwhile. True: something was sent.
  bool send_waiting(Now now);
  // At the end: all that waits in line, as far as the peers take it at once.
  void send_rest(Now now);
  void resume(ConnectionId id);
  // The machine's wish: it hears no more of this connection.
  void close(ConnectionId id);
  // After a turn: tells the machine of the connections that ended. True: it was told something and wants a
  // turn.
  bool settle();
  // Closes what idled too long.
  void close_idle(Now now);
  void set_idle_max(Duration idle_max) { options_.idle_max = idle_max; }

  // Something is left to do without waiting for readiness.
  bool has_work() const { return !to_read_.empty() || !to_send_.empty() || !ended_.empty(); }
  // When close_idle() has something to do at the earliest.
  Instant idle_deadline() const;
  std::size_t count() const { return count_; }
  const ConnectionCounters& counters() const { return counters_; }

 private:
  struct Connection {
    ConnectionId id;  // 0: the slot is free
    std::unique_ptr<Stream> stream;
    IpKey ip;
    Instant last_active;
    std::uint32_t older = 0;  // neighbours in the order of activity; slot 0 is the list's head
    std::uint32_t newer = 0;
    bool readable = false;
    bool paused = false;               // the machine has no room
    bool send_blocked = false;         // waits for the socket to become writable, or:
    bool send_wants_read = false;      // readable, as TLS may
    bool receive_wants_write = false;  // likewise
    bool drain = false;                // the peer ended: read to the end, whatever a short read suggests
    bool ended = false;                // no more reading or sending; disconnected() follows
    bool queued_read = false;
    bool queued_send = false;

    bool can_send() const { return !ended && !send_blocked; }
  };

  Connection* find(ConnectionId id);
  void read(Connection& connection, Now now);
  std::size_t transmit(Connection& connection, std::size_t count, Now now);
  std::size_t send_in_line(Connection& connection, std::size_t most, Now now);
  std::size_t first_slice(std::size_t came) const;
  std::size_t send_slice(std::size_t most, Now now);
  void end(Connection& connection);
  void forget(Connection& connection);
  void queue_read(Connection& connection);
  void queue_send(Connection& connection);
  void touch(Connection& connection, Now now);
  void unlink(Connection& connection);
  void link_newest(Connection& connection);
  std::size_t collect(ConnectionId id);
  std::size_t cut(std::size_t bytes);

  const ShardId shard_;
  Poller& poller_;
  ConnectionMachine& machine_;
  ConnectionOptions options_;
  Release release_;
  MakeStream make_stream_;
  std::vector<Connection> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<ConnectionId> to_read_;
  std::vector<ConnectionId> to_send_;
  std::vector<ConnectionId> ended_;
  std::vector<ConnectionId> working_;
  std::vector<Bytes> pieces_;
  std::vector<iovec> iovecs_;
  std::size_t collected_bytes_ = 0;
  std::uint64_t received_before_ = 0;  // by the last send_waiting()
  std::uint64_t sequence_ = 0;
  std::size_t count_ = 0;
  ConnectionCounters counters_;
};

}  // namespace tailwater::shell
