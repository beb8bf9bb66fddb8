#include "shell/http/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace tailwater::shell {

namespace {

constexpr std::string_view kTokenSymbols = "!#$%&'*+-.^_`|~";

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char character) {
    return (character >= '0' && character <= '9') || (character >= 'a' && character <= 'z') ||
           (character >= 'A' && character <= 'Z') || kTokenSymbols.find(character) != std::string_view::npos;
  });
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char character) {
    return (static_cast<unsigned char>(character) < 0x20 && character != '\t') || character == 0x7f;
  });
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& character : lower) {
    if (character >= 'A' && character <= 'Z') character = static_cast<char>(character - 'A' + 'a');
  }
  return lower;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int hex_digit(char character) {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'f') return character - 'a' + 10;
  if (character >= 'A' && character <= 'F') return character - 'A' + 10;
  return -1;
}

enum class Plus : std::uint8_t { literal, space };

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '+' && plus == Plus::space) {
      decoded += ' ';
    } else if (text[at] == '%') {
      if (at + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[at + 1]);
      const int low = hex_digit(text[at + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      at += 2;
    } else {
      decoded += text[at];
    }
  }
  return decoded;
}

HttpParsed bad(int status, std::string message) {
  HttpParsed parsed;
  parsed.status = HttpParsed::Status::bad;
  parsed.error_status = status;
  parsed.error = std::move(message);
  return parsed;
}

// "GET /path?query HTTP/1.1". Empty: fine; else what is wrong.
std::string parse_request_line(std::string_view line, HttpRequest& request) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return "the request line is no 'METHOD TARGET HTTP/1.1'";
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method)) return "the method is no token";
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return "only HTTP/1.1 and HTTP/1.0 are spoken here";
  if (target.empty() || target[0] != '/' || target.find(' ') != std::string_view::npos) {
    return "the target must begin with '/'";
  }
  const std::size_t question = target.find('?');
  const auto path = percent_decode(target.substr(0, question), Plus::literal);
  if (!path || has_control_character(*path)) return "the target is not encoded properly";
  request.method = method;
  request.path = *path;
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  request.keep_alive = version == "HTTP/1.1";
  return {};
}

std::string parse_header_lines(std::string_view lines, const HttpLimits& limits, HttpRequest& request) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) || has_control_character(line)) {
      return "a header line is no 'Name: value'";
    }
    if (request.headers.size() >= limits.headers_max) return "too many headers";
    request.headers.emplace_back(to_lower(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
  }
  return {};
}

// The body's length as announced; nullopt: not a number, or announced twice with different values.
std::optional<std::uint64_t> content_length(const HttpRequest& request) {
  std::optional<std::uint64_t> length;
  for (const auto& [name, value] : request.headers) {
    if (name != "content-length") continue;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || value.empty()) return std::nullopt;
    if (length && *length != number) return std::nullopt;
    length = number;
  }
  return length.value_or(0);
}

}  // namespace

std::string_view HttpRequest::header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return {};
}

std::optional<std::string> HttpRequest::parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const std::size_t equals = pair.find('=');
    if (percent_decode(pair.substr(0, equals), Plus::space) != std::string(name)) continue;
    return equals == std::string_view::npos ? std::string()
                                            : percent_decode(pair.substr(equals + 1), Plus::space);
  }
  return std::nullopt;
}

HttpParsed parse_http_request(std::string_view input, const HttpLimits& limits) {
  const std::size_t head_end = input.find("\r\n\r\n");
  if (head_end == std::string_view::npos || head_end > limits.head_bytes_max) {
    if (input.size() <= limits.head_bytes_max) return {};
    return bad(431, fmt::format("the request's head is larger than {} bytes", limits.head_bytes_max));
  }
  HttpParsed parsed;
  const std::string_view head = input.substr(0, head_end);
  const std::size_t line_end = head.find("\r\n");
  if (std::string error = parse_request_line(head.substr(0, line_end), parsed.request); !error.empty()) {
    return bad(400, std::move(error));
  }
  if (line_end != std::string_view::npos) {
    std::string error = parse_header_lines(head.substr(line_end + 2), limits, parsed.request);
    if (!error.empty()) return bad(400, std::move(error));
  }
  if (!parsed.request.header("transfer-encoding").empty()) {
    return bad(411, "bodies are taken with Content-Length only");
  }
  const auto length = content_length(parsed.request);
  if (!length) return bad(400, "Content-Length is no number");
  if (*length > limits.body_bytes_max) {
    return bad(413, fmt::format("the body is larger than {} bytes", limits.body_bytes_max));
  }
  const std::size_t total = head_end + 4 + static_cast<std::size_t>(*length);
  if (input.size() < total) {
    parsed.needed = total;
    return parsed;
  }
  const std::string connection = to_lower(parsed.request.header("connection"));
  if (connection.find("close") != std::string::npos) parsed.request.keep_alive = false;
  if (connection.find("keep-alive") != std::string::npos) parsed.request.keep_alive = true;
  parsed.request.body = input.substr(head_end + 4, static_cast<std::size_t>(*length));
  parsed.consumed = total;
  parsed.status = HttpParsed::Status::complete;
  return parsed;
}

HttpResponse http_error(int status, std::string_view message) {
  return {status, "application/json",
          fmt::format("{{\"error\":{{\"status\":{},\"message\":{}}}}}\n", status, json_quote(message))};
}

std::string_view http_reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

std::string format_http_head(const HttpResponse& response, const HttpHeadOptions& options) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, http_reason(response.status));
  if (!response.content_type.empty()) head += fmt::format("Content-Type: {}\r\n", response.content_type);
  if (options.chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else {
    head += fmt::format("Content-Length: {}\r\n", response.body.size());
  }
  for (const auto& [name, value] : response.headers) head += fmt::format("{}: {}\r\n", name, value);
  head += "X-Content-Type-Options: nosniff\r\n";
  if (!options.keep_alive) head += "Connection: close\r\n";
  head += "\r\n";
  return head;
}

std::string json_quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      quoted += '\\';
      quoted += character;
    } else if (character == '\n') {
      quoted += "\\n";
    } else if (byte < 0x20) {
      fmt::format_to(std::back_inserter(quoted), "\\u{:04x}", byte);
    } else {
      quoted += character;
    }
  }
  quoted += '"';
  return quoted;
}

}  // namespace tailwater::shell
