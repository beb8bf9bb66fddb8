// HTTP/1.1 messages as values: parsing of requests within limits, and the text of responses. No sockets.
// GUARANTEES: whatever the input, the parser answers need_more, a request, or an error with its status; it
// never reads a body whose length it was not told, and never keeps more than the limits allow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tailwater::shell {

struct HttpLimits {
  std::size_t head_bytes_max = 16 * 1024;
  std::size_t headers_max = 100;
  std::size_t body_bytes_max = 1024 * 1024;
};

struct HttpRequest {
  std::string method;
  std::string path;                                          // decoded, without the query; begins with '/'
  std::string query;                                         // as sent, without '?'
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  bool keep_alive = true;

  std::string_view header(std::string_view lower_name) const;  // empty: not sent
  // The decoded value of a query parameter; "" when it stands without '='.
  std::optional<std::string> parameter(std::string_view name) const;
};

struct HttpParsed {
  enum class Status : std::uint8_t { need_more, complete, bad };
  Status status = Status::need_more;
  std::size_t consumed = 0;  // of the input, when complete
  std::size_t needed = 0;    // when more is needed and known: bytes of input in all
  HttpRequest request;
  int error_status = 400;  // when bad
  std::string error;
};
HttpParsed parse_http_request(std::string_view input, const HttpLimits& limits);

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers{};
};

// {"error": {"status": 404, "message": "..."}}
HttpResponse http_error(int status, std::string_view message);
std::string_view http_reason(int status);

struct HttpHeadOptions {
  bool keep_alive = true;
  bool chunked = false;  // else Content-Length of the body
};
// Status line and headers with the empty line, without the body.
std::string format_http_head(const HttpResponse& response, const HttpHeadOptions& options);

// A JSON string with its quotes.
std::string json_quote(std::string_view text);

}  // namespace tailwater::shell
