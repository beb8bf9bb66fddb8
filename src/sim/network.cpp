#include "sim/network.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tailwater::sim {

Network::Connection* Network::find(std::uint64_t id) {
  const auto at = connections_.find(id);
  return at == connections_.end() ? nullptr : &at->second;
}

Duration Network::delay() {
  return Duration{
      static_cast<std::int64_t>(agenda_.random().below(static_cast<std::uint64_t>(delay_max_.nanoseconds)))};
}

std::vector<std::uint64_t> Network::connections() const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, connection] : connections_) {
    if (connection.wire != nullptr && connection.at_host) ids.push_back(id);
  }
  return ids;
}

// --- clients

std::uint64_t Network::connect(Wire& wire) {
  if (!listening_) return 0;
  const std::uint64_t id = next_connection_++;
  Connection& connection = connections_[id];
  connection.wire = &wire;
  connection.at_host = true;
  connection.last_heard = agenda_.now();
  host_.opened(id);
  watch_idle(id);
  return id;
}

void Network::send(std::uint64_t id, Buffer bytes) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  if (!connection->at_host) {
    // The successor of the machine that is gone knows nothing of this connection.
    if (listening_) tell_client_closed(id, agenda_.now() + delay());
    return;
  }
  connection->flying.push_back(std::move(bytes));
  connection->last_arrival = std::max({connection->last_arrival, cut_to_broker_, agenda_.now() + delay()});
  agenda_.at(connection->last_arrival, [this, id] { arrive(id); });
}

void Network::arrive(std::uint64_t id) {
  Connection* connection = find(id);
  if (connection == nullptr || !connection->at_host || connection->flying.empty()) return;
  connection->last_heard = agenda_.now();
  connection->arrived.push_back(std::move(connection->flying.front()));
  connection->flying.pop_front();
  host_.readable(id);
}

void Network::disconnect(std::uint64_t id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  const bool known = connection->at_host;
  connections_.erase(id);
  if (known) host_.broken(id);
}

void Network::vanish(std::uint64_t id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->wire = nullptr;
  if (!connection->at_host) connections_.erase(id);
}

void Network::watch_idle(std::uint64_t id) {
  if (idle_max_ == Duration::max()) return;
  Connection* connection = find(id);
  if (connection == nullptr || !connection->at_host) return;
  const Instant due = connection->last_heard + idle_max_;
  if (due <= agenda_.now()) return reset(id);
  agenda_.at(due, [this, id] { watch_idle(id); });
}

// --- the broker

std::size_t Network::take(std::uint64_t id, MutableBytes into) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->arrived.empty() || into.empty()) return 0;
  Buffer& front = connection->arrived.front();
  const std::size_t left = front.size() - connection->arrived_offset;
  const std::size_t size = 1 + agenda_.random().below(std::min(left, into.size()));
  std::memcpy(into.data(), front.data() + connection->arrived_offset, size);
  connection->arrived_offset += size;
  if (connection->arrived_offset == front.size()) {
    connection->arrived.pop_front();
    connection->arrived_offset = 0;
  }
  return size;
}

void Network::send_back(std::uint64_t id, Buffer bytes) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->wire == nullptr) return;
  connection->last_departure =
      std::max({connection->last_departure, cut_to_clients_, agenda_.now() + delay()});
  agenda_.at(connection->last_departure, [this, id, sent = std::move(bytes)] {
    Connection* found = find(id);
    if (found != nullptr && found->wire != nullptr) found->wire->bytes_arrived(sent);
  });
}

void Network::close(std::uint64_t id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->at_host = false;
  tell_client_closed(id, std::max(agenda_.now(), connection->last_departure));
}

void Network::tell_client_closed(std::uint64_t id, Instant when) {
  agenda_.at(when, [this, id] {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Wire* wire = found->second.wire;
    connections_.erase(found);
    if (wire != nullptr) wire->closed();
  });
}

void Network::host_died() {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, connection] : connections_) {
    if (connection.at_host) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) close(id);
}

void Network::host_vanished() {
  for (auto& [id, connection] : connections_) {
    connection.at_host = false;
    connection.arrived.clear();
    connection.flying.clear();
  }
  std::erase_if(connections_, [](const auto& entry) { return entry.second.wire == nullptr; });
}

// --- faults

void Network::reset(std::uint64_t id) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  if (connection->at_host && !connection->flying.empty()) {
    // A part of what was on its way still gets there.
    Buffer& front = connection->flying.front();
    front.resize(agenda_.random().below(front.size() + 1));
    if (!front.empty()) connection->arrived.push_back(std::move(front));
    connection->flying.clear();
    host_.readable(id);
    connection = find(id);
    if (connection == nullptr) return;
  }
  Wire* const wire = connection->wire;
  const bool known = connection->at_host;
  connections_.erase(id);
  if (known) host_.broken(id);
  if (wire != nullptr) wire->closed();
}

void Network::cut_until(Instant to_broker, Instant to_clients) {
  cut_to_broker_ = to_broker;
  cut_to_clients_ = to_clients;
}

}  // namespace tailwater::sim
