// A small HTTP/1.1 server on a thread of its own: for health, metrics and the console, not for records.
// Handlers run on that thread and must not wait; the reply may be given later and from any thread. A reply
// that does not come within the limit is answered with 503 for the handler. Slow or silent clients are
// closed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "shell/http/message.hpp"
#include "shell/log/log.hpp"
#include "shell/net/socket.hpp"

namespace tailwater::shell {

struct HttpServerOptions {
  HttpLimits limits{};
  std::size_t connections_max = 256;
  int request_ms_max = 10'000;             // for the head and body to arrive
  int reply_ms_max = 10'000;               // for the handler to answer
  int idle_ms_max = 60'000;                // between requests, and for a client that does not read
  std::size_t stream_bytes_max = 4 << 20;  // written to a stream and not yet sent
};

// The way to answer one request, once. Copies answer the same request. It may outlive server and connection.
class HttpReply {
 public:
  void send(HttpResponse response) const;

  // A response of unknown length, piece by piece (server-sent events, downloads). False: the client is gone,
  // or so far behind that the stream was cut.
  bool begin_stream(HttpResponse head) const;
  bool write(std::string piece) const;
  void end_stream() const;
  bool is_open() const;

  class Shared;
  HttpReply(std::shared_ptr<Shared> shared, std::uint64_t connection, std::uint64_t request);

 private:
  std::shared_ptr<Shared> shared_;
  std::uint64_t connection_ = 0;
  std::uint64_t request_ = 0;
};

using HttpHandler = std::function<void(const HttpRequest&, HttpReply)>;

class HttpServer {
 public:
  explicit HttpServer(Log& log, HttpServerOptions options = {});
  ~HttpServer();

  // A path ending in '*' takes everything that begins so; the longest match wins. Before start().
  void route(std::string method, std::string path, HttpHandler handler);

  Result<void> start(ListeningSockets sockets);
  void stop();

  class State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace tailwater::shell
