// Goal: every prefix, limit and malformation of a request has its answer, and responses have their exact
// text. Method: the whole request and each of its prefixes; one wrong thing at a time.
#include "shell/http/message.hpp"

#include <gtest/gtest.h>

namespace tailwater::shell {
namespace {

using Status = HttpParsed::Status;

TEST(HttpMessage, EveryPrefixNeedsMoreAndTheWholeIsARequest) {
  const std::string text =
      "POST /v1/topics/a%20b?detail=partition&empty&x=%2Fy+z HTTP/1.1\r\nHost: localhost\r\ncontent-LENGTH: "
      "4\r\n"
      "X-Thing:  spaced \r\n\r\nbody";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(parse_http_request(std::string_view(text).substr(0, size), {}).status, Status::need_more)
        << size;
  }
  const HttpParsed parsed = parse_http_request(text + "GET / HTTP/1.1\r\n", {});
  ASSERT_EQ(parsed.status, Status::complete) << parsed.error;
  EXPECT_EQ(parsed.consumed, text.size());
  EXPECT_EQ(parsed.request.method, "POST");
  EXPECT_EQ(parsed.request.path, "/v1/topics/a b");
  EXPECT_EQ(parsed.request.body, "body");
  EXPECT_EQ(parsed.request.header("x-thing"), "spaced");
  EXPECT_EQ(parsed.request.parameter("detail"), "partition");
  EXPECT_EQ(parsed.request.parameter("empty"), "");
  EXPECT_EQ(parsed.request.parameter("x"), "/y z");
  EXPECT_EQ(parsed.request.parameter("none"), std::nullopt);
  EXPECT_TRUE(parsed.request.keep_alive);
}

TEST(HttpMessage, BytesNeededAreKnownFromTheHead) {
  const HttpParsed parsed = parse_http_request("PUT / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc", {});
  EXPECT_EQ(parsed.status, Status::need_more);
  EXPECT_EQ(parsed.needed, 39u + 100u);
}

TEST(HttpMessage, ConnectionHeaderAndOldVersion) {
  EXPECT_FALSE(parse_http_request("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", {}).request.keep_alive);
  EXPECT_FALSE(parse_http_request("GET / HTTP/1.0\r\n\r\n", {}).request.keep_alive);
  EXPECT_TRUE(parse_http_request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {}).request.keep_alive);
}

TEST(HttpMessage, MalformedRequestsAreRefused) {
  for (const char* text : {
           "\r\n\r\n",
           "GET\r\n\r\n",
           "GET /\r\n\r\n",
           "GET / HTTP/2.0\r\n\r\n",
           "GET  HTTP/1.1\r\n\r\n",
           "GET x HTTP/1.1\r\n\r\n",
           "GET /a b HTTP/1.1\r\n\r\n",
           "GET /%zz HTTP/1.1\r\n\r\n",
           "GET /%00 HTTP/1.1\r\n\r\n",
           "GET /% HTTP/1.1\r\n\r\n",
           "G@T / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nno colon\r\n\r\n",
           "GET / HTTP/1.1\r\nbad name: x\r\n\r\n",
           "GET / HTTP/1.1\r\n: x\r\n\r\n",
           "GET / HTTP/1.1\r\nA: b\x01\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
       }) {
    const HttpParsed parsed = parse_http_request(text, {});
    EXPECT_EQ(parsed.status, Status::bad) << text;
    EXPECT_EQ(parsed.error_status, 400) << text;
    EXPECT_FALSE(parsed.error.empty());
  }
}

TEST(HttpMessage, Limits) {
  const HttpLimits limits{.head_bytes_max = 100, .headers_max = 2, .body_bytes_max = 10};
  EXPECT_EQ(parse_http_request(std::string(101, 'a'), limits).error_status, 431);
  EXPECT_EQ(parse_http_request("GET /" + std::string(100, 'a') + " HTTP/1.1\r\n\r\n", limits).error_status,
            431);
  EXPECT_EQ(parse_http_request("GET / HTTP/1.1\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n", limits).status, Status::bad);
  EXPECT_EQ(parse_http_request("GET / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", limits).error_status, 413);
  EXPECT_EQ(parse_http_request("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", limits).error_status,
            411);
}

TEST(HttpMessage, ResponseText) {
  EXPECT_EQ(
      format_http_head({.status = 200, .body = "hello", .headers = {{"Cache-Control", "no-store"}}}, {}),
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n"
      "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n");
  EXPECT_EQ(http_error(404, "no \"x\"\n").body,
            "{\"error\":{\"status\":404,\"message\":\"no \\\"x\\\"\\n\"}}\n");
}

}  // namespace
}  // namespace tailwater::shell
