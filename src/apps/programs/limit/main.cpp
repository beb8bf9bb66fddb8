// limit: what this machine can do at best with the work that a broker does, in one thread. It moves the bytes
// of `load` from sockets through a checksum to durable files, and from memory to sockets, or only answers. It
// is no broker: nothing is checked beyond the checksum, and nothing survives its end.
//   limit durable|echo --port N --folder DIR [--memory MiB] [--file MiB]
// A partition's file is written over and over (256 MiB, --file), in blocks that the disk has given out and filled before,
// as no log can; one that is long enough not to come round shows what new blocks cost.
// Exit codes: 0 ended by SIGTERM, 1 something broke, 2 usage.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

#include "programs/limit/broker.hpp"

namespace {

using namespace tailwater;
using namespace tailwater::limit;

constexpr std::size_t kReceiveBytes = std::size_t{256} << 10;
constexpr std::size_t kFrameMax = std::size_t{64} << 20;
constexpr int kWait_ms = 100;

struct Words {
  Mode mode = Mode::durable;
  std::uint16_t port = 0;
  std::string folder;
  std::size_t memory_mib = 512;
  std::size_t file_mib = 256;
};

template <class Number>
bool read(std::string_view word, Number& number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc{} && end == word.data() + word.size();
}

bool parse(int count, char** words, Words& chosen) {
  if (count < 2) return false;
  const std::string_view mode = words[1];
  if (mode != "durable" && mode != "echo") return false;
  chosen.mode = mode == "echo" ? Mode::echo : Mode::durable;
  for (int at = 2; at < count; at += 2) {
    const std::string_view option = words[at];
    if (at + 1 >= count) return false;
    if (option == "--folder") {
      chosen.folder = words[at + 1];
    } else if (!(option == "--port" && read(words[at + 1], chosen.port)) &&
               !(option == "--memory" && read(words[at + 1], chosen.memory_mib)) &&
               !(option == "--file" && read(words[at + 1], chosen.file_mib))) {
      return false;
    }
  }
  return chosen.port != 0 && chosen.file_mib != 0 && !chosen.folder.empty();
}

struct Socket : Client {
  int descriptor = -1;
  Buffer in = Buffer(kReceiveBytes);
  std::size_t size = 0;
  bool wants_out = false;
};

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

[[noreturn]] void give_up(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

class Loop {
 public:
  explicit Loop(const Words& words)
      : wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        poller_(::epoll_create1(EPOLL_CLOEXEC)),
        files_(words.folder, wake_),
        broker_(words.mode, words.port, files_, words.memory_mib << 20, words.file_mib << 20) {
    watch(wake_, EPOLLIN | EPOLLET, &wake_);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC);
    watch(signals_, EPOLLIN, &signals_);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(words.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 512) != 0) {
      give_up("listen");
    }
    watch(listener_, EPOLLIN, &listener_);
  }

  void run() {
    std::array<epoll_event, 256> events{};
    for (;;) {
      const int count = ::epoll_wait(poller_, events.data(), static_cast<int>(events.size()), kWait_ms);
      for (int at = 0; at < count; ++at) {
        const epoll_event& event = events[static_cast<std::size_t>(at)];
        if (event.data.ptr == &signals_) return;
        if (event.data.ptr == &listener_) {
          accept();
        } else if (event.data.ptr != &wake_) {
          auto& socket = *static_cast<Socket*>(event.data.ptr);
          if (socket.descriptor >= 0 && (event.events & EPOLLOUT) != 0) send(socket);
          if (socket.descriptor >= 0 && (event.events & ~std::uint32_t{EPOLLOUT}) != 0) receive(socket);
        }
      }
      files_.complete();
      broker_.end_turn(now_ms());
      for (Client* client : broker_.take_dirty()) {
        client->is_dirty = false;
        send(static_cast<Socket&>(*client));
      }
    }
  }

 private:
  void watch(int descriptor, std::uint32_t events, void* what, int how = EPOLL_CTL_ADD) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = what;
    if (::epoll_ctl(poller_, how, descriptor, &event) != 0) give_up("epoll");
  }

  void accept() {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Socket& socket = *sockets_.emplace_back(std::make_unique<Socket>());
    socket.descriptor = descriptor;
    watch(descriptor, EPOLLIN, &socket);
  }

  // What is under way for it may still want its place: the object stays.
  void close(Socket& socket) {
    ::close(std::exchange(socket.descriptor, -1));
    drop(socket);
  }

  void drop(Socket& socket) {
    released_.clear();
    socket.out.clear(released_);
    for (const std::uint64_t token : released_) broker_.released(token);
  }

  void receive(Socket& socket) {
    const ssize_t got =
        ::recv(socket.descriptor, socket.in.data() + socket.size, socket.in.size() - socket.size, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return close(socket);
    if (got < 0) return;
    socket.size += static_cast<std::size_t>(got);
    std::size_t at = 0;
    while (socket.size - at >= 4) {
      const std::size_t size = load_big<std::uint32_t>(socket.in.data() + at);
      if (size > kFrameMax) return close(socket);
      if (socket.size - at - 4 < size) {
        if (size + 4 > socket.in.size()) socket.in.resize(size + 4);
        break;
      }
      broker_.take(socket, Bytes(socket.in).subspan(at + 4, size), now_ms());
      at += 4 + size;
    }
    std::memmove(socket.in.data(), socket.in.data() + at, socket.size - at);
    socket.size -= at;
  }

  void send(Socket& socket) {
    if (socket.descriptor < 0) return drop(socket);
    std::array<Bytes, 256> pieces;
    std::array<iovec, 256> parts;
    bool is_full = false;
    while (!socket.out.empty() && !is_full) {
      const std::size_t count = socket.out.gather(pieces);
      for (std::size_t at = 0; at < count; ++at) {
        parts[at] = {const_cast<std::byte*>(pieces[at].data()), pieces[at].size()};
      }
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = count;
      const ssize_t sent = ::sendmsg(socket.descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) return close(socket);
      is_full = sent < 0;
      if (sent <= 0) continue;
      released_.clear();
      socket.out.sent(static_cast<std::size_t>(sent), released_, spare_);
      for (const std::uint64_t token : released_) broker_.released(token);
    }
    if (is_full != socket.wants_out) {
      watch(socket.descriptor, EPOLLIN | (is_full ? std::uint32_t{EPOLLOUT} : 0U), &socket, EPOLL_CTL_MOD);
      socket.wants_out = is_full;
    }
  }

  int wake_;
  int poller_;
  int signals_ = -1;
  int listener_ = -1;
  Files files_;
  Broker broker_;
  std::vector<std::unique_ptr<Socket>> sockets_;
  std::vector<std::uint64_t> released_;
  session::ResponsePool spare_;
};

}  // namespace

int main(int count, char** arguments) {
  Words words;
  if (!parse(count, arguments, words)) {
    std::fputs("limit durable|echo --port N --folder DIR [--memory MiB] [--file MiB]\n", stderr);
    return 2;
  }
  try {
    Loop(words).run();
    return 0;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "limit: %s\n", problem.what());
    return 1;
  }
}
