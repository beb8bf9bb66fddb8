// Accepts connections on a thread of its own and hands them to the shards in turn, within the limits of
// connections. Without descriptors it pauses and says so, instead of spinning or giving up. Locks only to be
// told of new limits.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/ids.hpp"
#include "shell/disk/wake.hpp"
#include "shell/log/log.hpp"
#include "shell/net/accepted_socket.hpp"
#include "shell/net/connection_limits.hpp"
#include "shell/net/poller.hpp"

namespace tailwater::shell {

struct BoundListener {
  ListenerId id;
  std::string name;
  ListeningSockets sockets;
};

class Acceptor {
 public:
  // Called on the acceptor's thread; `turn` counts the accepted connections.
  using Adopt = std::function<void(std::uint64_t turn, AcceptedSocket)>;

  Acceptor(std::vector<BoundListener> listeners, ConnectionLimits& limits, Log& log, Adopt adopt);
  ~Acceptor();

  const std::vector<BoundListener>& listeners() const { return listeners_; }
  // From here on connections are taken.
  Result<void> start(int backlog);
  // Closes the listening sockets: new connections are refused from here on.
  void stop();
  // From any thread: other limits from soon on. Names in them are resolved on the acceptor's thread.
  void limit(ConnectionLimitValues values);

  std::uint64_t accepted() const { return accepted_.load(); }
  std::uint64_t pauses() const { return pauses_.load(); }

 private:
  enum class Outcome : std::uint8_t { empty, more, no_descriptors };

  void run();
  void take_limits();
  Outcome accept_some(const BoundListener& listener, int socket);
  void admit(const BoundListener& listener, Descriptor socket, const SocketAddress& peer);
  void complain(std::string_view message, std::int64_t& last_ns, std::initializer_list<LogField> fields);

  std::vector<BoundListener> listeners_;
  ConnectionLimits& limits_;
  Log& log_;
  Adopt adopt_;
  Poller poller_;
  Wake wake_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> pauses_{0};
  std::int64_t complained_descriptors_ns_ = 0;
  std::int64_t complained_limit_ns_ = 0;
  std::mutex mutex_;
  std::optional<ConnectionLimitValues> wished_limits_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace tailwater::shell
