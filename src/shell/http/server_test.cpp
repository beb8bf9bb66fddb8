// Goal: requests are answered in order, also late, from other threads and in pieces; slow, silent and wrong
// clients get their due and no more. Method: raw sockets on the loopback interface; small limits instead of
// waiting long.
#include "shell/http/server.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

namespace tailwater::shell {
namespace {

class HttpServerTest : public ::testing::Test {
 protected:
  void start(HttpServerOptions options = {}) {
    server = std::make_unique<HttpServer>(log, options);
    server->route("GET", "/hello", [](const HttpRequest& request, HttpReply reply) {
      reply.send({.body = "hello " + request.parameter("name").value_or("nobody")});
    });
    server->route("POST", "/echo", [](const HttpRequest& request, HttpReply reply) {
      std::thread([body = request.body, reply] { reply.send({.body = body}); }).detach();
    });
    server->route("GET", "/never", [](const HttpRequest&, HttpReply) {});
    server->route("GET", "/files/*", [](const HttpRequest& request, HttpReply reply) {
      reply.send({.body = "file " + request.path.substr(7)});
    });
    server->route("GET", "/stream", [this](const HttpRequest&, HttpReply reply) {
      reply.begin_stream({.content_type = "text/event-stream"});
      reply.write("one");
      reply.write("two");
      if (keep_stream) {
        stream = std::make_unique<HttpReply>(reply);
      } else {
        reply.end_stream();
      }
    });
    auto sockets = bind_to("127.0.0.1", 0);
    ASSERT_TRUE(sockets.has_value());
    address = sockets->addresses[0];
    ASSERT_TRUE(server->start(std::move(*sockets)).has_value());
  }

  Descriptor dial() {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size), 0);
    return socket;
  }
  static void say(const Descriptor& socket, std::string_view text) {
    ASSERT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  static std::string read_to_end(const Descriptor& socket) {
    std::string all;
    char buffer[4096];
    for (;;) {
      const ssize_t got = ::read(socket.get(), buffer, sizeof buffer);
      if (got <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(got));
    }
  }
  std::string ask(std::string_view request) {
    const Descriptor socket = dial();
    say(socket, request);
    return read_to_end(socket);
  }
  static std::string body(const std::string& response) {
    return response.substr(response.find("\r\n\r\n") + 4);
  }

  Log log{{.sink = [](std::string_view) {}}};
  SocketAddress address;
  bool keep_stream = false;
  std::unique_ptr<HttpReply> stream;
  std::unique_ptr<HttpServer> server;
};

TEST_F(HttpServerTest, AnswersAndCloses) {
  start();
  const std::string response = ask("GET /hello?name=you HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\n")) << response;
  EXPECT_EQ(body(response), "hello you");
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  const std::string response =
      ask("POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /hello HTTP/1.1\r\n\r\n"
          "HEAD /hello HTTP/1.1\r\n\r\nGET /files/a/b HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::size_t first = response.find("\r\n\r\nabc");
  const std::size_t second = response.find("hello nobody");
  const std::size_t third = response.find("file a/b");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_EQ(response.find("hello nobody", second + 1), std::string::npos);  // HEAD has no body
  EXPECT_NE(third, std::string::npos) << response;
}

TEST_F(HttpServerTest, ErrorsAreJson) {
  start();
  EXPECT_EQ(body(ask("GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n")),
            "{\"error\":{\"status\":404,\"message\":\"there is nothing at /nothing\"}}\n");
  const std::string wrong_method = ask("DELETE /hello HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(wrong_method.starts_with("HTTP/1.1 405 ")) << wrong_method;
  EXPECT_NE(wrong_method.find("Allow: GET\r\n"), std::string::npos);
  EXPECT_TRUE(ask("garbage\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

TEST_F(HttpServerTest, LateHandlersAreAnsweredForAndLateClientsClosed) {
  start({.request_ms_max = 50, .reply_ms_max = 50, .idle_ms_max = 50});
  EXPECT_TRUE(ask("GET /never HTTP/1.1\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(ask("GET /never HT").starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(ask(""), "");
  const std::string idle = ask("GET /hello HTTP/1.1\r\n\r\n");
  EXPECT_EQ(body(idle), "hello nobody");
}

TEST_F(HttpServerTest, StreamsInChunks) {
  start();
  const std::string response = ask("GET /stream HTTP/1.1\r\n\r\n");
  EXPECT_NE(response.find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_EQ(body(response), "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
}

TEST_F(HttpServerTest, StreamOfAGoneClientIsOver) {
  keep_stream = true;
  start();
  {
    const Descriptor socket = dial();
    say(socket, "GET /stream HTTP/1.1\r\n\r\n");
    char byte = 0;
    ASSERT_EQ(::read(socket.get(), &byte, 1), 1);
  }
  while (stream->write("x")) std::this_thread::yield();
  EXPECT_FALSE(stream->is_open());
}

TEST_F(HttpServerTest, StreamThatNobodyReadsIsCut) {
  keep_stream = true;
  start({.stream_bytes_max = 100'000});
  const Descriptor socket = dial();
  say(socket, "GET /stream HTTP/1.1\r\n\r\n");
  char byte = 0;
  ASSERT_EQ(::read(socket.get(), &byte, 1), 1);
  const std::string piece(50'000, 'x');
  std::size_t written = 0;
  while (stream->write(piece)) written += piece.size();
  EXPECT_GT(written, 100'000u);
  EXPECT_FALSE(stream->is_open());
}

TEST_F(HttpServerTest, ConnectionsAreLimited) {
  start({.connections_max = 2});
  const Descriptor first = dial();
  const Descriptor second = dial();
  say(first, "GET /hello HTTP/1.1\r\n\r\n");
  char byte = 0;
  ASSERT_EQ(::read(first.get(), &byte, 1), 1);
  Descriptor third = dial();  // waits in the system's queue until another one ends
  say(third, "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n");
  say(second, "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(body(read_to_end(second)), "hello nobody");
  EXPECT_EQ(body(read_to_end(third)), "hello nobody");
}

}  // namespace
}  // namespace tailwater::shell
