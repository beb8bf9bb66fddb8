// One thread, one poller, level-triggered: simple rather than fast. Connections are few and limited.
#include "shell/http/server.hpp"

#include <errno.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "base/check.hpp"
#include "shell/disk/threads.hpp"
#include "shell/disk/wake.hpp"
#include "shell/net/poller.hpp"

namespace tailwater::shell {

namespace {

constexpr std::uint64_t kWakeKey = UINT64_MAX;
constexpr std::uint64_t kListenerBit = 1ULL << 63;
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::int64_t kNever = INT64_MAX;
constexpr std::int64_t kAcceptPauseMs = 100;

std::int64_t monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

// What replies of any thread and the server's thread share. Locked.
class HttpReply::Shared {
 public:
  enum class Kind : std::uint8_t { whole, begin, piece, end };
  struct Message {
    std::uint64_t connection = 0;
    std::uint64_t request = 0;
    Kind kind{};
    HttpResponse response;
  };

  explicit Shared(std::size_t stream_bytes_max) : stream_bytes_max_(stream_bytes_max) {}

  bool put(Message message) {
    {
      const std::lock_guard lock(mutex_);
      const auto live = live_.find(message.connection);
      if (live == live_.end() || live->second.request != message.request) return false;
      if (message.kind == Kind::piece) {
        if (live->second.waiting_bytes > stream_bytes_max_) {
          live_.erase(live);
          message.kind = Kind::end;  // the cut: the server closes a stream that is no longer live
        } else {
          live->second.waiting_bytes += message.response.body.size();
        }
      }
      messages_.push_back(std::move(message));
    }
    wake_.signal();
    return true;
  }

  bool is_open(std::uint64_t connection, std::uint64_t request) {
    const std::lock_guard lock(mutex_);
    const auto live = live_.find(connection);
    return live != live_.end() && live->second.request == request;
  }

  // For the server's thread.
  void open(std::uint64_t connection, std::uint64_t request) {
    const std::lock_guard lock(mutex_);
    live_[connection] = {request, 0};
  }
  void close(std::uint64_t connection) {
    const std::lock_guard lock(mutex_);
    live_.erase(connection);
  }
  void sent(std::uint64_t connection, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto live = live_.find(connection);
    if (live != live_.end()) live->second.waiting_bytes -= std::min(live->second.waiting_bytes, bytes);
  }
  std::vector<Message> take() {
    wake_.clear();
    const std::lock_guard lock(mutex_);
    return std::exchange(messages_, {});
  }
  void wake() { wake_.signal(); }
  int descriptor() const { return wake_.get(); }

 private:
  struct Live {
    std::uint64_t request = 0;
    std::size_t waiting_bytes = 0;
  };
  const std::size_t stream_bytes_max_;
  std::mutex mutex_;
  std::map<std::uint64_t, Live> live_;
  std::vector<Message> messages_;
  Wake wake_;
};

HttpReply::HttpReply(std::shared_ptr<Shared> shared, std::uint64_t connection, std::uint64_t request)
    : shared_(std::move(shared)), connection_(connection), request_(request) {}

void HttpReply::send(HttpResponse response) const {
  shared_->put({connection_, request_, Shared::Kind::whole, std::move(response)});
}
bool HttpReply::begin_stream(HttpResponse head) const {
  return shared_->put({connection_, request_, Shared::Kind::begin, std::move(head)});
}
bool HttpReply::write(std::string piece) const {
  HttpResponse response;
  response.body = std::move(piece);
  return shared_->put({connection_, request_, Shared::Kind::piece, std::move(response)});
}
void HttpReply::end_stream() const {
  shared_->put({connection_, request_, Shared::Kind::end, {}});
}
bool HttpReply::is_open() const {
  return shared_->is_open(connection_, request_);
}

class HttpServer::State {
 public:
  State(Log& log, HttpServerOptions options)
      : log_(log),
        options_(options),
        shared_(std::make_shared<HttpReply::Shared>(options.stream_bytes_max)) {}

  void route(std::string method, std::string path, HttpHandler handler) {
    routes_.push_back({std::move(method), std::move(path), std::move(handler)});
  }

  Result<void> start(ListeningSockets sockets) {
    sockets_ = std::move(sockets);
    if (auto started = start_listening(sockets_, 64); !started) return started;
    poller_.add(shared_->descriptor(), EPOLLIN, kWakeKey);
    listen_events(EPOLLIN);
    thread_ = start_thread("http", [this] { run(); });
    return {};
  }

  void stop() {
    stop_.store(true);
    shared_->wake();
    if (thread_.joinable()) thread_.join();
    connections_.clear();
    sockets_.sockets.clear();
  }

 private:
  enum class Phase : std::uint8_t { reading, handling, streaming, writing };
  struct Connection {
    Descriptor socket;
    Phase phase = Phase::reading;
    std::string input;
    std::string output;
    std::size_t output_sent = 0;
    std::size_t needed = 0;
    std::uint64_t request = 0;
    std::int64_t deadline_ms = kNever;
    std::uint32_t events = 0;
    bool keep_alive = true;
    bool head_only = false;
    bool close_after = false;
  };
  struct Route {
    std::string method;
    std::string path;
    HttpHandler handler;
  };
  using Connections = std::map<std::uint64_t, Connection>;

  void listen_events(std::uint32_t events) {
    if (events == listening_events_) return;
    for (std::size_t index = 0; index < sockets_.sockets.size(); ++index) {
      const int socket = sockets_.sockets[index].get();
      if (listening_events_ == 0) poller_.add(socket, events, kListenerBit | index);
      if (listening_events_ != 0) poller_.remove(socket);
    }
    listening_events_ = events;
  }

  void run() {
    while (!stop_.load()) {
      for (const epoll_event& event : poller_.wait(timeout_ms())) {
        if (event.data.u64 == kWakeKey) continue;  // messages are taken below
        if ((event.data.u64 & kListenerBit) != 0) {
          accept(event.data.u64 & ~kListenerBit);
        } else {
          on_event(event.data.u64, event.events);
        }
      }
      for (HttpReply::Shared::Message& message : shared_->take()) on_message(message);
      close_late();
      const bool paused = accept_again_ms_ > monotonic_ms();
      if (!paused) accept_again_ms_ = 0;
      listen_events(!paused && connections_.size() < options_.connections_max ? EPOLLIN : 0);
    }
  }

  int timeout_ms() const {
    std::int64_t first = accept_again_ms_ == 0 ? kNever : accept_again_ms_;
    for (const auto& [id, connection] : connections_) first = std::min(first, connection.deadline_ms);
    if (first == kNever) return -1;
    return static_cast<int>(std::clamp<std::int64_t>(first - monotonic_ms(), 0, 60'000));
  }

  void accept(std::size_t index) {
    while (connections_.size() < options_.connections_max) {
      Descriptor socket(
          ::accept4(sockets_.sockets[index].get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!socket) {
        // Without descriptors the listener would stay readable and this loop would spin: pause with the next
        // closing.
        if (errno == EMFILE || errno == ENFILE) accept_again_ms_ = monotonic_ms() + kAcceptPauseMs;
        return;
      }
      prepare_accepted(socket.get());
      const std::uint64_t id = ++last_connection_;
      Connection& connection = connections_[id];
      connection.socket = std::move(socket);
      connection.deadline_ms = monotonic_ms() + options_.request_ms_max;
      connection.events = EPOLLIN;
      if (!poller_.add(connection.socket.get(), connection.events, id)) connections_.erase(id);
    }
  }

  void close(std::uint64_t id) {
    shared_->close(id);
    connections_.erase(id);
  }

  void watch(std::uint64_t id, Connection& connection) {
    std::uint32_t events = 0;
    if (connection.phase == Phase::reading) events |= EPOLLIN;
    if (connection.phase == Phase::streaming) events |= EPOLLRDHUP;
    if (connection.output_sent < connection.output.size()) events |= EPOLLOUT;
    if (events == connection.events) return;
    connection.events = events;
    poller_.change(connection.socket.get(), events, id);
  }

  void on_event(std::uint64_t id, std::uint32_t events) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) {
      close(id);
      return;
    }
    if ((events & EPOLLIN) != 0 && !receive(found->second)) {
      close(id);
      return;
    }
    proceed(id);
  }

  // False: the client is gone.
  bool receive(Connection& connection) {
    const std::size_t before = connection.input.size();
    connection.input.resize(before + kReadBytes);
    const ssize_t got = ::recv(connection.socket.get(), connection.input.data() + before, kReadBytes, 0);
    connection.input.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got > 0 && before == 0) connection.deadline_ms = monotonic_ms() + options_.request_ms_max;
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
  }

  // Goes on until the connection must wait for something.
  void proceed(std::uint64_t id) {
    for (;;) {
      const auto found = connections_.find(id);
      if (found == connections_.end()) return;
      Connection& connection = found->second;
      if (!send_output(id, connection)) return close(id);
      const bool all_sent = connection.output_sent == connection.output.size();
      if (connection.phase == Phase::writing && all_sent) {
        if (connection.close_after) return close(id);
        connection.phase = Phase::reading;
        connection.deadline_ms = monotonic_ms() + options_.idle_ms_max;
      }
      if (connection.phase != Phase::reading || !next_request(id, connection)) {
        if (connections_.contains(id)) watch(id, connection);
        return;
      }
    }
  }

  // False: the client is gone.
  bool send_output(std::uint64_t id, Connection& connection) {
    while (connection.output_sent < connection.output.size()) {
      const ssize_t sent = ::send(connection.socket.get(), connection.output.data() + connection.output_sent,
                                  connection.output.size() - connection.output_sent, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return errno == EAGAIN;
      connection.output_sent += static_cast<std::size_t>(sent);
      connection.deadline_ms = monotonic_ms() + options_.idle_ms_max;
      if (connection.phase == Phase::streaming) shared_->sent(id, static_cast<std::size_t>(sent));
    }
    connection.output.clear();
    connection.output_sent = 0;
    if (connection.phase == Phase::streaming) connection.deadline_ms = kNever;
    return true;
  }

  // True: a request was taken from the input (or refused) and its answer may be there.
  bool next_request(std::uint64_t id, Connection& connection) {
    if (connection.input.empty() || connection.input.size() < connection.needed) return false;
    HttpParsed parsed = parse_http_request(connection.input, options_.limits);
    connection.needed = parsed.needed;
    if (parsed.status == HttpParsed::Status::need_more) return false;
    ++connection.request;
    if (parsed.status == HttpParsed::Status::bad) {
      connection.head_only = false;
      connection.keep_alive = false;
      answer(connection, http_error(parsed.error_status, parsed.error));
      return true;
    }
    connection.input.erase(0, parsed.consumed);
    connection.keep_alive = parsed.request.keep_alive;
    connection.head_only = parsed.request.method == "HEAD";
    connection.phase = Phase::handling;
    connection.deadline_ms = monotonic_ms() + options_.reply_ms_max;
    dispatch(id, connection, parsed.request);
    return true;
  }

  void dispatch(std::uint64_t id, Connection& connection, const HttpRequest& request) {
    const std::string_view method = connection.head_only ? "GET" : std::string_view(request.method);
    const Route* best = nullptr;
    std::string allowed;
    for (const Route& route : routes_) {
      const bool open_ended = route.path.ends_with('*');
      const std::string_view prefix =
          std::string_view(route.path).substr(0, route.path.size() - (open_ended ? 1 : 0));
      if (open_ended ? !request.path.starts_with(prefix) : request.path != prefix) continue;
      if (route.method != method) {
        allowed += (allowed.empty() ? "" : ", ") + route.method;
      } else if (best == nullptr || route.path.size() > best->path.size()) {
        best = &route;
      }
    }
    if (best == nullptr) {
      HttpResponse response = allowed.empty()
                                  ? http_error(404, fmt::format("there is nothing at {}", request.path))
                                  : http_error(405, fmt::format("{} takes {}", request.path, allowed));
      if (!allowed.empty()) response.headers.emplace_back("Allow", allowed);
      answer(connection, std::move(response));
      return;
    }
    shared_->open(id, connection.request);
    best->handler(request, HttpReply(shared_, id, connection.request));
  }

  void answer(Connection& connection, HttpResponse response) {
    connection.output += format_http_head(response, {.keep_alive = connection.keep_alive});
    if (!connection.head_only) connection.output += response.body;
    connection.phase = Phase::writing;
    connection.close_after = !connection.keep_alive;
    connection.deadline_ms = monotonic_ms() + options_.idle_ms_max;
  }

  void on_message(HttpReply::Shared::Message& message) {
    using Kind = HttpReply::Shared::Kind;
    const auto found = connections_.find(message.connection);
    if (found == connections_.end() || found->second.request != message.request) return;
    Connection& connection = found->second;
    if (message.kind == Kind::whole && connection.phase == Phase::handling) {
      shared_->close(message.connection);
      answer(connection, std::move(message.response));
    } else if (message.kind == Kind::begin && connection.phase == Phase::handling) {
      connection.output += format_http_head(message.response, {.keep_alive = false, .chunked = true});
      connection.phase = Phase::streaming;
      connection.deadline_ms = monotonic_ms() + options_.idle_ms_max;
      append_chunk(connection, message.response.body);
    } else if (message.kind == Kind::piece && connection.phase == Phase::streaming) {
      append_chunk(connection, message.response.body);
      connection.deadline_ms = monotonic_ms() + options_.idle_ms_max;
    } else if (message.kind == Kind::end && connection.phase == Phase::streaming) {
      const bool cut = !shared_->is_open(message.connection, message.request);
      shared_->close(message.connection);
      if (cut) return close(message.connection);
      connection.output += "0\r\n\r\n";
      connection.phase = Phase::writing;
      connection.close_after = true;
    }
    proceed(message.connection);
  }

  static void append_chunk(Connection& connection, std::string_view body) {
    if (body.empty() || connection.head_only) return;
    connection.output += fmt::format("{:x}\r\n", body.size());
    connection.output += body;
    connection.output += "\r\n";
  }

  void close_late() {
    const std::int64_t now = monotonic_ms();
    std::vector<std::uint64_t> late;
    for (const auto& [id, connection] : connections_) {
      if (connection.deadline_ms <= now) late.push_back(id);
    }
    for (const std::uint64_t id : late) {
      Connection& connection = connections_.at(id);
      if (connection.phase == Phase::handling) {
        shared_->close(id);
        log_.warning("http", "a request was not answered in time");
        answer(connection, http_error(503, "the broker did not answer in time"));
        proceed(id);
      } else if (connection.phase == Phase::reading && !connection.input.empty()) {
        connection.keep_alive = false;
        answer(connection, http_error(408, "the request did not arrive in time"));
        proceed(id);
      } else {
        close(id);
      }
    }
  }

  Log& log_;
  const HttpServerOptions options_;
  std::shared_ptr<HttpReply::Shared> shared_;
  std::vector<Route> routes_;
  ListeningSockets sockets_;
  Poller poller_;
  Connections connections_;
  std::uint64_t last_connection_ = 0;
  std::int64_t accept_again_ms_ = 0;  // 0: no pause
  std::uint32_t listening_events_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

HttpServer::HttpServer(Log& log, HttpServerOptions options) : state_(std::make_unique<State>(log, options)) {}
HttpServer::~HttpServer() {
  stop();
}

void HttpServer::route(std::string method, std::string path, HttpHandler handler) {
  state_->route(std::move(method), std::move(path), std::move(handler));
}

Result<void> HttpServer::start(ListeningSockets sockets) {
  return state_->start(std::move(sockets));
}
void HttpServer::stop() {
  state_->stop();
}

}  // namespace tailwater::shell
