#include "shell/net/acceptor.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <utility>

#include "shell/disk/threads.hpp"

namespace tailwater::shell {

namespace {

constexpr int kAcceptsPerRound = 64;
constexpr int kPauseMs = 100;
constexpr std::int64_t kComplainEveryNs = 10'000'000'000;
constexpr std::uint64_t kWakeKey = UINT64_MAX;

std::int64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Acceptor::Acceptor(std::vector<BoundListener> listeners, ConnectionLimits& limits, Log& log, Adopt adopt)
    : listeners_(std::move(listeners)), limits_(limits), log_(log), adopt_(std::move(adopt)) {}

Acceptor::~Acceptor() {
  stop();
}

Result<void> Acceptor::start(int backlog) {
  poller_.add(wake_.get(), EPOLLIN, kWakeKey);
  for (std::size_t index = 0; index < listeners_.size(); ++index) {
    const ListeningSockets& sockets = listeners_[index].sockets;
    if (auto started = start_listening(sockets, backlog); !started) return started;
    for (std::size_t nth = 0; nth < sockets.sockets.size(); ++nth) {
      poller_.add(sockets.sockets[nth].get(), EPOLLIN, (std::uint64_t{index} << 32) | nth);
    }
  }
  thread_ = start_thread("accept", [this] { run(); });
  return {};
}

void Acceptor::stop() {
  stop_.store(true);
  wake_.signal();
  if (thread_.joinable()) thread_.join();
  for (BoundListener& listener : listeners_) listener.sockets.sockets.clear();
}

void Acceptor::limit(ConnectionLimitValues values) {
  {
    const std::lock_guard lock(mutex_);
    wished_limits_ = std::move(values);
  }
  wake_.signal();
}

void Acceptor::take_limits() {
  std::unique_lock lock(mutex_);
  const auto wished = std::exchange(wished_limits_, std::nullopt);
  lock.unlock();
  if (wished) limits_.configure(*wished);
}

void Acceptor::run() {
  while (!stop_.load()) {
    bool pause = false;
    const auto events = poller_.wait(-1);
    take_limits();  // names in them may take a while
    for (const epoll_event& event : events) {
      if (event.data.u64 == kWakeKey) {
        wake_.clear();
        continue;
      }
      const BoundListener& listener = listeners_[event.data.u64 >> 32];
      const int socket = listener.sockets.sockets[event.data.u64 & UINT32_MAX].get();
      if (accept_some(listener, socket) == Outcome::no_descriptors) pause = true;
    }
    if (!pause) continue;
    pauses_.fetch_add(1);
    complain("no descriptors left: accepting pauses; raise the limit of open files (ulimit -n, LimitNOFILE=)",
             complained_descriptors_ns_, {{"connections", fmt::format("{}", limits_.open())}});
    pollfd stop{wake_.get(), POLLIN, 0};
    ::poll(&stop, 1, kPauseMs);
  }
}

Acceptor::Outcome Acceptor::accept_some(const BoundListener& listener, int socket) {
  for (int count = 0; count < kAcceptsPerRound; ++count) {
    SocketAddress peer;
    peer.size = sizeof peer.storage;
    Descriptor accepted(::accept4(socket, reinterpret_cast<sockaddr*>(&peer.storage), &peer.size,
                                  SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted) {
      admit(listener, std::move(accepted), peer);
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return Outcome::empty;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        return Outcome::no_descriptors;
      default:
        break;  // this one connection was gone before it was accepted
    }
  }
  return Outcome::more;
}

void Acceptor::admit(const BoundListener& listener, Descriptor socket, const SocketAddress& peer) {
  take_limits();  // who connects after they were wished is measured by them, also in the midst of a round
  switch (limits_.admit(peer.ip())) {
    case ConnectionLimits::Verdict::admitted:
      break;
    case ConnectionLimits::Verdict::too_many:
      complain("connection refused: max.connections are open", complained_limit_ns_,
               {{"listener", listener.name}, {"peer", peer.host()}});
      return;
    case ConnectionLimits::Verdict::too_many_of_ip:
      complain("connection refused: max.connections.per.ip are open from this address", complained_limit_ns_,
               {{"listener", listener.name}, {"peer", peer.host()}});
      return;
  }
  prepare_accepted(socket.get());
  adopt_(accepted_.fetch_add(1), AcceptedSocket{std::move(socket), listener.id, peer});
}

// A line for what may happen thousands of times a second: at most one each ten seconds.
void Acceptor::complain(std::string_view message, std::int64_t& last_ns,
                        std::initializer_list<LogField> fields) {
  const std::int64_t now = monotonic_ns();
  if (last_ns != 0 && now - last_ns < kComplainEveryNs) return;
  last_ns = now;
  log_.warning("net", message, fields);
}

}  // namespace tailwater::shell
