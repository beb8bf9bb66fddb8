#include "shell/net/connections.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace tailwater::shell {

namespace {

constexpr std::size_t kPiecesMax = 1024;  // IOV_MAX
constexpr std::uint64_t kSlotBits = 24;
constexpr std::uint64_t kSlotMask = (1ULL << kSlotBits) - 1;
constexpr std::uint64_t kSequenceBits = 32;
// Order of activity is kept to this precision, so that a busy connection does not move in the list at each
// request.
constexpr Duration kTouchPrecision = Duration::from_ms(1000);

}  // namespace

Connections::Connections(ShardId shard, Poller& poller, ConnectionMachine& machine, ConnectionOptions options,
                         Release release, MakeStream make_stream)
    : shard_(shard),
      poller_(poller),
      machine_(machine),
      options_(options),
      release_(std::move(release)),
      make_stream_(std::move(make_stream)),
      slots_(1),
      pieces_(kPiecesMax),
      iovecs_(kPiecesMax) {}

Connections::~Connections() {
  for (Connection& connection : slots_) {
    if (connection.id.value != 0) release_(connection.ip);
  }
}

Connections::Connection* Connections::find(ConnectionId id) {
  const std::uint64_t slot = id.value & kSlotMask;
  if (id.value == 0 || slot >= slots_.size() || slots_[slot].id != id) return nullptr;
  return &slots_[slot];
}

void Connections::adopt(AcceptedSocket accepted, Now now) {
  if (free_.empty()) {
    CHECK(slots_.size() <= kSlotMask);
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  sequence_ = (sequence_ + 1) & ((1ULL << kSequenceBits) - 1);
  const ConnectionId id{(std::uint64_t{shard_.value + 1} << (kSlotBits + kSequenceBits)) |
                        (sequence_ << kSlotBits) | slot};
  const int descriptor = accepted.socket.get();
  auto stream = make_stream_(accepted.listener, std::move(accepted.socket));
  if (!poller_.add(descriptor, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, id.value)) {
    release_(accepted.peer.ip());
    return;
  }
  free_.pop_back();
  Connection& connection = slots_[slot];
  connection = Connection{};
  connection.id = id;
  connection.stream = std::move(stream);
  connection.ip = accepted.peer.ip();
  connection.last_active = now.monotonic;
  link_newest(connection);
  ++count_;
  ++counters_.adopted;
  machine_.connected(id, accepted.listener, node::Peer{accepted.peer.host(), accepted.peer.port()}, now);
}

void Connections::on_event(std::uint64_t key, std::uint32_t events) {
  Connection* connection = find(ConnectionId{key});
  if (connection == nullptr || connection->ended) return;
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (broken || (events & EPOLLRDHUP) != 0) connection->drain = true;
  if (broken && connection->paused) {
    // Nothing can be answered any more, and what was not read yet has no room.
    end(*connection);
    return;
  }
  if (broken || (events & (EPOLLIN | EPOLLRDHUP)) != 0) {
    connection->readable = true;
    queue_read(*connection);
  }
  const bool can_send = (events & (connection->send_wants_read ? EPOLLIN : EPOLLOUT)) != 0;
  if (can_send && connection->send_blocked) {
    connection->send_blocked = false;
    queue_send(*connection);
  }
  if ((events & EPOLLOUT) != 0 && connection->receive_wants_write) {
    connection->receive_wants_write = false;
    connection->readable = true;
    queue_read(*connection);
  }
}

void Connections::gather(Now now) {
  working_.swap(to_read_);
  for (const ConnectionId id : working_) {
    if (Connection* connection = find(id)) {
      connection->queued_read = false;
      read(*connection, now);
    }
  }
  working_.clear();
}

void Connections::read(Connection& connection, Now now) {
  std::size_t budget = options_.read_per_turn;
  while (connection.readable && !connection.ended) {
    if (budget == 0) {
      queue_read(connection);
      return;
    }
    const MutableBytes space = machine_.receive_space(connection.id);
    if (space.empty()) {
      connection.paused = true;
      return;
    }
    const std::size_t wanted = std::min(space.size(), budget);
    ++counters_.receives;
    const StreamResult result = connection.stream->receive(space.first(wanted));
    switch (result.status) {
      case StreamStatus::done:
        touch(connection, now);
        counters_.bytes_received += result.bytes;
        budget -= result.bytes;
        machine_.received(connection.id, result.bytes, now);
        if (result.drained && !connection.drain) connection.readable = false;
        break;
      case StreamStatus::wait_write:
        connection.receive_wants_write = true;
        [[fallthrough]];
      case StreamStatus::wait_read:
        connection.readable = false;
        break;
      case StreamStatus::ended:
      case StreamStatus::failed:
        end(connection);
        break;
    }
  }
}

// How many pieces the machine has to send, their bytes in collected_bytes_.
std::size_t Connections::collect(ConnectionId id) {
  const std::size_t count = machine_.gather(id, pieces_);
  collected_bytes_ = 0;
  for (std::size_t index = 0; index < count; ++index) {
    iovecs_[index] = {const_cast<std::byte*>(pieces_[index].data()), pieces_[index].size()};
    collected_bytes_ += pieces_[index].size();
  }
  return count;
}

// Shortens what was collected to so many bytes; gives the pieces that are left.
std::size_t Connections::cut(std::size_t bytes) {
  collected_bytes_ = bytes;
  std::size_t count = 0;
  for (; bytes > 0; ++count) {
    iovecs_[count].iov_len = std::min(iovecs_[count].iov_len, bytes);
    bytes -= iovecs_[count].iov_len;
  }
  return count;
}

// Sends the collected pieces; gives the bytes that went. The connection may have ended, or be blocked.
std::size_t Connections::transmit(Connection& connection, std::size_t count, Now now) {
  CHECK(collected_bytes_ > 0);
  ++counters_.sends;
  const StreamResult result = connection.stream->send(std::span(iovecs_).first(count));
  if (result.status == StreamStatus::failed || result.status == StreamStatus::ended) {
    end(connection);
    return 0;
  }
  if (result.status != StreamStatus::done || result.bytes < collected_bytes_) {
    // The socket is full; its readiness makes a new edge.
    connection.send_blocked = true;
    connection.send_wants_read = result.status == StreamStatus::wait_read;
  }
  if (result.bytes == 0) return 0;
  touch(connection, now);
  counters_.bytes_sent += result.bytes;
  machine_.sent(connection.id, result.bytes, now);
  return result.bytes;
}

bool Connections::flush(ConnectionId id, Now now) {
  Connection* connection = find(id);
  if (connection == nullptr || !connection->can_send() || connection->queued_send) return false;
  const std::size_t count = collect(id);
  if (count == 0) return false;
  const bool sent = collected_bytes_ <= options_.small_send && transmit(*connection, count, now) > 0;
  if (connection->can_send() && (!sent || collect(id) > 0)) queue_send(*connection);
  return sent;
}

std::size_t Connections::send_in_line(Connection& connection, std::size_t most, Now now) {
  std::size_t left = most;
  while (connection.can_send()) {
    std::size_t count = collect(connection.id);
    if (count == 0) break;
    if (left == 0) {
      queue_send(connection);
      break;
    }
    if (left < collected_bytes_) count = cut(left);
    left -= transmit(connection, count, now);
  }
  return most - left;
}

std::size_t Connections::send_slice(std::size_t most, Now now) {
  std::size_t left = most;
  working_.swap(to_send_);
  auto next = working_.begin();
  for (; next != working_.end() && left > 0; ++next) {
    if (Connection* connection = find(*next)) {
      connection->queued_send = false;
      left -= send_in_line(*connection, left, now);
    }
  }
  // Those whose turn did not come are before those who had theirs and have more.
  to_send_.insert(to_send_.begin(), next, working_.end());
  working_.clear();
  return most - left;
}

// Whoever writes a lot does not hold up who reads: each in line may have as much as came. Nor does who reads hold up
// who writes: what came tells how much waits for the end of this turn, and the slice gives way to it, to a half.
std::size_t Connections::first_slice(std::size_t came) const {
  const std::size_t whole = options_.send_slice;
  const std::size_t least = whole - std::min(whole / 2, came * 8);
  return std::clamp(came * to_send_.size(), least, std::max(whole, came));
}

bool Connections::send_waiting(Now now) {
  const std::uint64_t came =
      counters_.bytes_received - std::exchange(received_before_, counters_.bytes_received);
  std::size_t slice = first_slice(came);
  std::size_t left = std::max(options_.send_per_turn, slice);
  bool any = false;
  while (left > 0 && !to_send_.empty()) {
    const std::size_t sent = send_slice(std::min(left, slice), now);
    any = any || sent > 0;
    left -= sent;
    slice = options_.send_slice;
    // Whoever asks, and what the disk has finished, waits for no more than this slice.
    if (sent == 0 || to_send_.empty() || !to_read_.empty() || poller_.look()) break;
  }
  return any;
}

void Connections::send_rest(Now now) {
  while (send_slice(SIZE_MAX, now) > 0) {
  }
}

void Connections::resume(ConnectionId id) {
  Connection* connection = find(id);
  if (connection == nullptr || !connection->paused) return;
  connection->paused = false;
  if (connection->readable) queue_read(*connection);
}

void Connections::close(ConnectionId id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  // The peer gets what was sent, also when bytes of it are still unread here.
  ::shutdown(connection->stream->descriptor(), SHUT_WR);
  forget(*connection);
}

bool Connections::settle() {
  if (ended_.empty()) return false;
  working_.swap(ended_);
  for (const ConnectionId id : working_) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    ++counters_.ended_by_peer;
    machine_.disconnected(id);
    forget(*connection);
  }
  working_.clear();
  return true;
}

void Connections::close_idle(Now now) {
  while (idle_deadline() <= now.monotonic) {
    Connection& connection = slots_[slots_[0].newer];
    ++counters_.closed_idle;
    machine_.disconnected(connection.id);
    forget(connection);
  }
}

Instant Connections::idle_deadline() const {
  if (options_.idle_max == Duration::max() || slots_[0].newer == 0) return Instant::max();
  return slots_[slots_[0].newer].last_active + options_.idle_max;
}

void Connections::end(Connection& connection) {
  if (connection.ended) return;
  connection.ended = true;
  connection.readable = false;
  ended_.push_back(connection.id);
}

void Connections::forget(Connection& connection) {
  // Closing the descriptor takes it out of the poller.
  unlink(connection);
  release_(connection.ip);
  free_.push_back(static_cast<std::uint32_t>(connection.id.value & kSlotMask));
  connection = Connection{};
  --count_;
}

void Connections::queue_read(Connection& connection) {
  if (connection.queued_read || connection.paused || connection.ended) return;
  connection.queued_read = true;
  to_read_.push_back(connection.id);
}

void Connections::queue_send(Connection& connection) {
  if (connection.queued_send || connection.ended) return;
  connection.queued_send = true;
  to_send_.push_back(connection.id);
}

void Connections::touch(Connection& connection, Now now) {
  if (now.monotonic < connection.last_active + kTouchPrecision) return;
  connection.last_active = now.monotonic;
  unlink(connection);
  link_newest(connection);
}

// The list is a ring through slot 0: its `newer` is the connection that idles longest, its `older` the
// newest.
void Connections::unlink(Connection& connection) {
  slots_[connection.older].newer = connection.newer;
  slots_[connection.newer].older = connection.older;
}

void Connections::link_newest(Connection& connection) {
  const auto slot = static_cast<std::uint32_t>(connection.id.value & kSlotMask);
  connection.older = slots_[0].older;
  connection.newer = 0;
  slots_[connection.older].newer = slot;
  slots_[0].older = slot;
}

}  // namespace tailwater::shell
