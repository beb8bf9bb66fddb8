// The connections of a shard: bytes in, requests to their handlers, answers out, and the counters of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash_map.hpp"
#include "core/session/session.hpp"
#include "node/context.hpp"
#include "node/metrics.hpp"
#include "node/request.hpp"
#include "wire/header.hpp"
#include "wire/writer.hpp"

namespace tailwater::node {

class ShardState;

class Connections {
 public:
  Connections(Context& context, ShardState& shard, session::ReceivePool& pool);

  void connected(ConnectionId id, ListenerId listener, Peer peer);
  MutableBytes receive_space(ConnectionId id);
  void received(ConnectionId id, std::size_t bytes);
  std::size_t gather(ConnectionId id, std::span<Bytes> pieces) const;
  void sent(ConnectionId id, std::size_t bytes);
  void disconnected(ConnectionId id);

  // Serves connections whose next request may start now. True if anything was done.
  bool pump();
  // Lists what the shell is to do with connections.
  void list(TurnEffects& effects);

  // --- answers
  // For an answer of about so many bytes: empty, with memory of one that was sent if there is any.
  session::Response blank(std::size_t bytes) { return spare_.take(bytes); }
  template <class Response>
  void answer(const Request& request, const Response& response) {
    session::Response frame = blank(0);
    begin_frame(request, frame.bytes);
    wire::Writer writer(frame.bytes);
    encode(writer, request.version, response);
    frame.tells_error = writer.tells_error();
    answer_frame(request, std::move(frame));
  }
  // A frame that begins with room for its size and the response header.
  void begin_frame(const Request& request, Buffer& bytes) const;
  // Sets the size field and sends; late answers to closed connections release their payload, and so do those
  // that are larger than the size field can say: their connection is closed.
  void answer_frame(const Request& request, session::Response&& frame);
  void answer_nothing(const Request& request);
  // The most bytes of an answer that a small request can make large: its handler stops there, and refuses.
  std::size_t answer_bytes_max() const { return answer_bytes_max_; }
  void refuse_large_answer(const Request& request, std::size_t most);
  // For what Kafka answers by closing: broken requests, versions that are not spoken, failed produce with
  // acks=0.
  void close(ConnectionId id, LogLevel level, const std::string& reason);

  // Payload whose last byte was sent or dropped.
  std::vector<std::uint64_t> released;
  // Connections that are gone, for those who keep something about them.
  std::vector<ConnectionId> gone;

  // The journal or the budget for unflushed bytes is full: Produce waits in its connection until it is not.
  void hold_produce(bool hold);

  // Who sent a request that is being served: what it calls itself, and its address.
  struct Client {
    std::string_view id;
    std::string_view host;
  };
  // Valid until the connection's next request. REQUIRES: the connection is not closed.
  Client client(const Request& request) const;

  // No new requests are started: the broker stops.
  void drain() { draining_ = true; }
  // Some of what came in was left for later.
  bool has_work() const { return !draining_ && !pump_.empty(); }

  std::size_t size() const { return connections_.size(); }
  std::uint64_t created = 0;
  std::uint64_t closed_by_broker = 0;
  std::uint64_t bytes_out = 0;
  const std::map<wire::ApiKey, ApiMetrics>& api_metrics() const { return api_metrics_; }

 private:
  struct Connection {
    ConnectionId id;
    ListenerId listener;
    Peer peer;
    std::string client_id;  // as the latest request said it
    session::Session session;
    bool pumping = false;  // listed in pump_
    bool sending = false;  // listed in send_
    bool waiting = false;  // listed in starved_ or sated_
    bool fed = false;      // has received something since it was refused memory

    Connection(ConnectionId id, ListenerId listener, Peer peer, session::ReceivePool& pool,
               std::size_t frame_max)
        : id(id), listener(listener), peer(std::move(peer)), session(pool, frame_max) {}
  };

  Connection* find(ConnectionId id) const;
  void serve(Connection& connection);
  void serve_frame(Connection& connection, session::Frame& frame);
  void pump_later(Connection& connection);
  void send_later(Connection& connection);
  void remove(ConnectionId id);

  Context& context_;
  ShardState& shard_;
  session::ReceivePool& pool_;
  const std::size_t answer_bytes_max_;
  HashMap<ConnectionId, std::unique_ptr<Connection>> connections_;
  session::ResponsePool spare_;
  std::vector<ConnectionId> pump_;
  std::vector<ConnectionId> pumping_;  // those of the pump at work; kept for its memory
  std::vector<ConnectionId> send_;
  std::vector<ConnectionId> close_;
  // Who was refused memory or held back, in the order in which they are asked again. Who had some goes behind who
  // had none: else the same one, asked first, would take all of it each time.
  std::vector<ConnectionId> starved_;
  std::vector<ConnectionId> sated_;        // those who had some, since the last time
  std::vector<ConnectionId> asked_again_;  // those that were starved; kept for its memory
  std::map<wire::ApiKey, ApiMetrics> api_metrics_;
  std::vector<ConnectionId> held_;
  bool hold_produce_ = false;
  bool draining_ = false;
};

}  // namespace tailwater::node
