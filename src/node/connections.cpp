#include "node/connections.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "node/dispatch.hpp"
#include "node/shard_state.hpp"
#include "node/storage_options.hpp"

namespace tailwater::node {

namespace {
constexpr std::size_t kRequestsPerTurn = 64;  // of one connection, then the next one's turn
constexpr std::size_t kSizeField = 4;
constexpr std::size_t kAnswerSizeMax = INT32_MAX;  // what the size field can say
}  // namespace

// An answer that a small request can make large is given up beyond what all requests together may take; what
// is encoded already has its memory, and whoever asked would only ask again.
Connections::Connections(Context& context, ShardState& shard, session::ReceivePool& pool)
    : context_(context),
      shard_(shard),
      pool_(pool),
      answer_bytes_max_(
          std::min<std::size_t>(static_cast<std::size_t>(request_budget(context.options)), kAnswerSizeMax)) {}

Connections::Connection* Connections::find(ConnectionId id) const {
  const auto at = connections_.find(id);
  return at == connections_.end() ? nullptr : at->second.get();
}

void Connections::connected(ConnectionId id, ListenerId listener, Peer peer) {
  ++created;
  const auto frame_max =
      static_cast<std::size_t>(std::max<std::int64_t>(context_.options.config.socket_request_max_bytes, 0));
  connections_[id] = std::make_unique<Connection>(id, listener, std::move(peer), pool_, frame_max);
}

MutableBytes Connections::receive_space(ConnectionId id) {
  Connection* connection = find(id);
  if (connection == nullptr || draining_) return {};
  const MutableBytes space = connection->session.receive_space();
  if (space.empty() && !connection->waiting) {
    connection->waiting = true;
    (std::exchange(connection->fed, false) ? sated_ : starved_).push_back(id);
  }
  return space;
}

void Connections::received(ConnectionId id, std::size_t bytes) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->fed = true;
  connection->session.received(bytes);
  serve(*connection);
}

void Connections::serve(Connection& connection) {
  const ConnectionId id = connection.id;
  for (std::size_t count = 0; count < kRequestsPerTurn; ++count) {
    auto frame = connection.session.next_frame(hold_produce_);
    if (!frame) {
      if (connection.session.held()) held_.push_back(id);
      break;
    }
    serve_frame(connection, *frame);
    if (find(id) == nullptr) return;  // closed by its own request
    if (count + 1 == kRequestsPerTurn) pump_later(connection);
  }
  connection.session.settle();
  if (connection.session.broken()) {
    close(id, LogLevel::warning,
          "announced a request of " + std::to_string(connection.session.announced()) +
              " bytes; socket.request.max.bytes allows 0 to " +
              std::to_string(context_.options.config.socket_request_max_bytes));
  }
}

void Connections::serve_frame(Connection& connection, session::Frame& frame) {
  wire::Reader reader(frame.bytes);
  const auto header = wire::decode_request_header(reader);
  if (!header) {
    return close(connection.id, LogLevel::warning,
                 "sent a request that is not spoken here: " + header.error().message);
  }
  const Request request{.connection = connection.id,
                        .slot = frame.slot,
                        .key = static_cast<wire::ApiKey>(header->api_key),
                        .version = header->api_version,
                        .correlation_id = header->correlation_id,
                        .listener = connection.listener,
                        .received = context_.now.monotonic,
                        .bytes = frame.bytes.size()};
  if (connection.client_id != header->client_id) connection.client_id = header->client_id;
  ApiMetrics& metrics = api_metrics_[request.key];
  ++metrics.requests;
  metrics.request_bytes += frame.bytes.size();
  const Result<void> served = dispatch(shard_, request, reader, frame);
  if (!served) close(connection.id, LogLevel::warning, served.error().message);
}

void Connections::pump_later(Connection& connection) {
  if (connection.pumping) return;
  connection.pumping = true;
  pump_.push_back(connection.id);
}

void Connections::send_later(Connection& connection) {
  if (connection.sending) return;
  connection.sending = true;
  send_.push_back(connection.id);
}

void Connections::hold_produce(bool hold) {
  if (hold_produce_ && !hold) {
    for (const ConnectionId id : held_) {
      if (Connection* connection = find(id)) pump_later(*connection);
    }
    held_.clear();
  }
  hold_produce_ = hold;
}

bool Connections::pump() {
  if (draining_ || pump_.empty()) return false;
  pumping_.clear();
  pumping_.swap(pump_);
  for (const ConnectionId id : pumping_) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    connection->pumping = false;
    serve(*connection);
  }
  return true;
}

void Connections::begin_frame(const Request& request, Buffer& bytes) const {
  bytes.resize(kSizeField);
  wire::Writer writer(bytes);
  wire::encode_response_header(writer, request.key, request.version, request.correlation_id);
}

void Connections::refuse_large_answer(const Request& request, std::size_t most) {
  close(request.connection, LogLevel::warning,
        "the answer to its " + std::string(wire::find_api(request.key)->name) + " request of " +
            std::to_string(request.bytes) + " bytes would take more than " + std::to_string(most) + " bytes");
}

void Connections::answer_frame(const Request& request, session::Response&& frame) {
  Connection* connection = find(request.connection);
  const std::size_t size = frame.size();
  const bool too_large = size - kSizeField > kAnswerSizeMax;
  if (connection == nullptr || too_large) {
    for (const session::Splice& splice : frame.splices) {
      if (splice.release != 0) released.push_back(splice.release);
    }
    if (connection != nullptr) refuse_large_answer(request, kAnswerSizeMax);
    return;
  }
  store_big(frame.bytes.data(), static_cast<std::uint32_t>(size - kSizeField));
  ApiMetrics& metrics = api_metrics_[request.key];
  metrics.response_bytes += size;
  if (frame.tells_error) ++metrics.errors;
  metrics.latency.add_us(
      static_cast<std::uint64_t>((context_.now.monotonic - request.received).nanoseconds / 1000));
  if (context_.options.config.request_log) {
    context_.note(LogLevel::info, "request " + std::string(wire::find_api(request.key)->name) + " v" +
                                      std::to_string(request.version) + " from " + connection->peer.address +
                                      " client " + connection->client_id + ": " +
                                      std::to_string(request.bytes) + " bytes in, " + std::to_string(size) +
                                      " bytes out");
  }
  connection->session.answer(request.slot, std::move(frame));
  send_later(*connection);
  pump_later(*connection);
}

void Connections::answer_nothing(const Request& request) {
  Connection* connection = find(request.connection);
  if (connection == nullptr) return;
  connection->session.answer_nothing(request.slot);
  send_later(*connection);
  pump_later(*connection);
}

void Connections::close(ConnectionId id, LogLevel level, const std::string& reason) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  context_.note(level, "closing the connection from " + connection->peer.address + ": " + reason);
  ++closed_by_broker;
  close_.push_back(id);
  remove(id);
}

void Connections::remove(ConnectionId id) {
  const auto at = connections_.find(id);
  if (at == connections_.end()) return;
  at->second->session.close(released);
  connections_.erase(at);
  gone.push_back(id);
}

void Connections::disconnected(ConnectionId id) {
  remove(id);
}

std::size_t Connections::gather(ConnectionId id, std::span<Bytes> pieces) const {
  const Connection* connection = find(id);
  return connection == nullptr ? 0 : connection->session.gather(pieces);
}

void Connections::sent(ConnectionId id, std::size_t bytes) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  bytes_out += bytes;
  connection->session.sent(bytes, released, spare_);
  pump_later(*connection);
}

Connections::Client Connections::client(const Request& request) const {
  const Connection* connection = find(request.connection);
  CHECK(connection != nullptr);
  return {connection->client_id, connection->peer.address};
}

void Connections::list(TurnEffects& effects) {
  for (const ConnectionId id : send_) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    connection->sending = false;
    if (connection->session.has_output()) effects.send.push_back(id);
  }
  send_.clear();
  asked_again_.clear();
  asked_again_.swap(starved_);
  asked_again_.insert(asked_again_.end(), sated_.begin(), sated_.end());
  sated_.clear();
  for (const ConnectionId id : asked_again_) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    if (connection->session.wants_resume()) effects.resume.push_back(id);
    connection->waiting = connection->session.muted();
    if (connection->waiting) starved_.push_back(id);
  }
  effects.close.insert(effects.close.end(), close_.begin(), close_.end());
  close_.clear();
}

}  // namespace tailwater::node
