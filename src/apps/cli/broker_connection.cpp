#include "apps/cli/broker_connection.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "apps/version.hpp"
#include "wire/frame.hpp"
#include "wire/header.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::size_t kAnswerMax = std::size_t{1} << 30;

// Waits for events on the socket. false: the deadline passed.
bool wait_for(int socket, short events, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd waited{socket, events, 0};
    const int ready = ::poll(&waited, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (ready > 0) return true;
    if (ready == 0 && left <= 0) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

std::string reason(int code) {
  switch (code) {
    case ECONNREFUSED:
      return "connection refused";
    case ETIMEDOUT:
      return "no answer";
    case EHOSTUNREACH:
    case ENETUNREACH:
      return "there is no way to that network";
    default:
      return std::strerror(code);
  }
}

// A connected socket, or the errno.
std::expected<int, int> connect_socket(const addrinfo& target, Deadline deadline) {
  const int socket = ::socket(target.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return std::unexpected(errno);
  int code = 0;
  if (::connect(socket, target.ai_addr, target.ai_addrlen) != 0) {
    code = errno;
    if (code == EINPROGRESS) {
      socklen_t size = sizeof code;
      if (!wait_for(socket, POLLOUT, deadline)) {
        code = ETIMEDOUT;
      } else if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        code = errno;
      }
    }
  }
  if (code != 0) {
    ::close(socket);
    return std::unexpected(code);
  }
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

Result<int> connect_to(const Address& address, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const int outcome = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found);
  if (outcome != 0) {
    return fail(Errc::unavailable,
                fmt::format("cannot find the host '{}': {}; check the address given with --brokers",
                            address.host, ::gai_strerror(outcome)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  int code = EHOSTUNREACH;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    const auto socket = connect_socket(*each, deadline);
    if (socket) return *socket;
    code = socket.error();
  }
  std::string message = fmt::format("cannot reach {}: {}", to_string(address), reason(code));
  if (code == ECONNREFUSED) message += "; is the broker running? Start one with: tailwater dev";
  return fail(Errc::unavailable, std::move(message));
}

Result<Address> parse_address(std::string_view text) {
  const auto refuse = [&] {
    return fail(Errc::invalid_argument, fmt::format("--brokers: '{}' is no address; write HOST:PORT", text));
  };
  Address address;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return refuse();
    address.host = text.substr(1, close - 1);
    const std::string_view after = text.substr(close + 1);
    if (!after.empty() && after.front() != ':') return refuse();
    if (!after.empty()) port = after.substr(1);
    if (!after.empty() && port.empty()) return refuse();
  } else {
    const std::size_t colon = text.rfind(':');
    address.host = text.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.empty() || address.host.find(':') != std::string::npos) return refuse();
    }
  }
  if (address.host.empty() || port.size() > 5) return refuse();
  if (port.empty()) return address;
  unsigned number = 0;
  for (const char digit : port) {
    if (digit < '0' || digit > '9') return refuse();
    number = number * 10 + static_cast<unsigned>(digit - '0');
  }
  if (number == 0 || number > 65535) return refuse();
  address.port = static_cast<std::uint16_t>(number);
  return address;
}

}  // namespace

std::string to_string(const Address& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", is_v6 ? "[" : "", address.host, is_v6 ? "]" : "", address.port);
}

Result<std::vector<Address>> parse_addresses(std::string_view text) {
  std::vector<Address> addresses;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    auto address = parse_address(part);
    if (!address) return std::unexpected(address.error());
    addresses.push_back(std::move(*address));
    if (comma == std::string_view::npos) return addresses;
    text.remove_prefix(comma + 1);
  }
}

Deadline ConnectionOptions::deadline() const {
  return std::min(latest, std::chrono::steady_clock::now() + timeout);
}

BrokerConnection::BrokerConnection(Address address, int socket, std::string client_id)
    : address_(std::move(address)), socket_(socket), client_id_(std::move(client_id)) {}

BrokerConnection::BrokerConnection(BrokerConnection&& other) noexcept
    : address_(std::move(other.address_)),
      socket_(std::exchange(other.socket_, -1)),
      client_id_(std::move(other.client_id_)),
      next_correlation_(other.next_correlation_),
      correlation_(other.correlation_),
      versions_(std::move(other.versions_)),
      answer_(std::move(other.answer_)) {}

BrokerConnection& BrokerConnection::operator=(BrokerConnection&& other) noexcept {
  if (this == &other) return *this;
  close();
  address_ = std::move(other.address_);
  socket_ = std::exchange(other.socket_, -1);
  client_id_ = std::move(other.client_id_);
  next_correlation_ = other.next_correlation_;
  correlation_ = other.correlation_;
  versions_ = std::move(other.versions_);
  answer_ = std::move(other.answer_);
  return *this;
}

BrokerConnection::~BrokerConnection() {
  close();
}

void BrokerConnection::close() {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

Result<BrokerConnection> BrokerConnection::open(const Address& address, const ConnectionOptions& options) {
  const Deadline deadline = options.deadline();
  const auto socket = connect_to(address, deadline);
  if (!socket) return std::unexpected(socket.error());
  BrokerConnection connection(address, *socket, options.client_id);
  if (auto negotiated = connection.negotiate(deadline); !negotiated)
    return std::unexpected(negotiated.error());
  return connection;
}

Result<void> BrokerConnection::negotiate(Deadline deadline) {
  // Version 3 first; a broker that does not know it answers in version 0 what it does know.
  for (const std::int16_t version : {std::int16_t{3}, std::int16_t{0}}) {
    wire::ApiVersionsRequest request;
    request.client_software_name = "tailwater";
    request.client_software_version = version_text();
    Buffer frame = request_frame(wire::ApiKey::api_versions, version);
    wire::Writer writer(frame);
    encode(writer, version, request);
    const auto body = exchange(std::move(frame), wire::ApiKey::api_versions, version, deadline);
    if (!body) return std::unexpected(body.error());
    const bool refused =
        body->size() >= 2 && load_big<std::int16_t>(body->data()) ==
                                 static_cast<std::int16_t>(wire::ErrorCode::unsupported_version);
    if (refused && version != 0) continue;
    wire::Reader reader(*body);
    if (auto decoded = decode(reader, version, versions_); !decoded) {
      return fail(Errc::malformed, fmt::format("{} does not speak the Kafka protocol ({})",
                                               to_string(address_), decoded.error().message));
    }
    if (versions_.error_code == wire::ErrorCode::none) return {};
    return fail(Errc::unavailable, fmt::format("{} refuses to talk: {}", to_string(address_),
                                               wire::message(versions_.error_code)));
  }
  return fail(Errc::unsupported, fmt::format("{} and this client have no version of the protocol in common",
                                             to_string(address_)));
}

Result<std::int16_t> BrokerConnection::version_for(wire::ApiKey key, std::int16_t at_most) const {
  const wire::ApiInfo* api = wire::find_api(key);
  for (const auto& offered : versions_.api_keys) {
    if (offered.api_key != static_cast<std::int16_t>(key)) continue;
    const std::int16_t newest = std::min({offered.max_version, api->max_version, at_most});
    if (newest >= std::max(offered.min_version, api->min_version)) return newest;
    return fail(Errc::unsupported,
                fmt::format("{} speaks {} in versions {} to {}, this client in {} to {}", to_string(address_),
                            api->name, offered.min_version, offered.max_version, api->min_version,
                            std::min(api->max_version, at_most)));
  }
  return fail(Errc::unsupported, fmt::format("the broker at {} cannot do this: it does not speak {}",
                                             to_string(address_), api->name));
}

Buffer BrokerConnection::request_frame(wire::ApiKey key, std::int16_t version) {
  Buffer frame;
  wire::begin_frame(frame);
  wire::Writer writer(frame);
  correlation_ = next_correlation_++;
  wire::encode_request_header(writer, {static_cast<std::int16_t>(key), version, correlation_, client_id_});
  return frame;
}

Result<Bytes> BrokerConnection::exchange(Buffer frame, wire::ApiKey key, std::int16_t version,
                                         Deadline deadline) {
  const std::string_view what = wire::find_api(key)->name;
  wire::end_frame(frame, 0);
  if (auto sent = send_all(frame, deadline, what); !sent) return std::unexpected(sent.error());
  std::byte head[wire::kFrameHead];
  if (auto received = receive_exactly(head, deadline, what); !received)
    return std::unexpected(received.error());
  const auto size = load_big<std::int32_t>(head);
  if (size < 4 || static_cast<std::size_t>(size) > kAnswerMax) {
    close();
    return fail(Errc::malformed,
                fmt::format("{} does not speak the Kafka protocol: it announces an answer of {} bytes",
                            to_string(address_), size));
  }
  answer_.resize(static_cast<std::size_t>(size));
  if (auto received = receive_exactly(answer_, deadline, what); !received)
    return std::unexpected(received.error());
  wire::Reader reader(answer_);
  const auto correlation = wire::decode_response_header(reader, key, version);
  if (!correlation || *correlation != correlation_) {
    close();
    return fail(Errc::malformed,
                fmt::format("{} answered something that was not asked ({})", to_string(address_), what));
  }
  return reader.rest();
}

Result<void> BrokerConnection::send_all(Bytes bytes, Deadline deadline, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      continue;
    }
    const int code = errno;
    if (count < 0 && code == EINTR) continue;
    if (count < 0 && code == EAGAIN && wait_for(socket_, POLLOUT, deadline)) continue;
    close();
    return fail(Errc::unavailable,
                fmt::format("{} takes no {} request: {}", to_string(address_), what,
                            code == EAGAIN ? "the time given with --timeout has passed" : reason(code)));
  }
  return {};
}

Result<void> BrokerConnection::receive_exactly(MutableBytes to, Deadline deadline, std::string_view what) {
  while (!to.empty()) {
    const ssize_t count = ::recv(socket_, to.data(), to.size(), 0);
    if (count > 0) {
      to = to.subspan(static_cast<std::size_t>(count));
      continue;
    }
    const int code = errno;
    if (count < 0 && code == EINTR) continue;
    if (count < 0 && code == EAGAIN && wait_for(socket_, POLLIN, deadline)) continue;
    close();
    if (count == 0) {
      return fail(Errc::unavailable,
                  fmt::format("{} closed the connection ({}); is it a Kafka listener without TLS?",
                              to_string(address_), what));
    }
    if (code == EAGAIN) {
      // An HTTP server, too, waits for more of what it takes for a request.
      const std::string_view stranger =
          versions_.api_keys.empty() ? ", unless what listens there does not speak the Kafka protocol" : "";
      return fail(Errc::unavailable,
                  fmt::format("{} gave no answer in time ({}); a larger --timeout waits longer{}",
                              to_string(address_), what, stranger));
    }
    return fail(Errc::unavailable, fmt::format("{}: {} ({})", to_string(address_), reason(code), what));
  }
  return {};
}

}  // namespace tailwater::apps::cli
