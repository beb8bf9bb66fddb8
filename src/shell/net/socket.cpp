#include "shell/net/socket.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include <algorithm>
#include <memory>

namespace tailwater::shell {

namespace {

template <class Address>
Address view_as(const SocketAddress& address) {
  Address view{};
  ::memcpy(&view, &address.storage, std::min<std::size_t>(sizeof view, sizeof address.storage));
  return view;
}

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::string errno_message(int error) {
  std::array<char, 128> buffer{};
  return ::strerror_r(error, buffer.data(), buffer.size());
}

SocketAddress any_address(int family, std::uint16_t port) {
  SocketAddress address;
  if (family == AF_INET6) {
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    ::memcpy(&address.storage, &any, sizeof any);
    address.size = sizeof any;
  } else {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    ::memcpy(&address.storage, &any, sizeof any);
    address.size = sizeof any;
  }
  address.set_port(port);
  return address;
}

bool is_any_ipv6(const SocketAddress& address) {
  return address.storage.ss_family == AF_INET6 && address.ip() == IpKey{};
}

void set_option(int socket, int level, int name, int value) {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

// Errno of the first step that failed, or 0.
int bind_one(SocketAddress& address, const ListenOptions& options, Descriptor& out) {
  Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reuse_port) set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.storage.ss_family == AF_INET6) {
    set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, is_any_ipv6(address) ? 0 : 1);
  }
  if (options.receive_buffer > 0) set_option(socket.get(), SOL_SOCKET, SO_RCVBUF, options.receive_buffer);
  if (options.send_buffer > 0) set_option(socket.get(), SOL_SOCKET, SO_SNDBUF, options.send_buffer);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0)
    return errno;
  address.size = sizeof address.storage;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0)
    return errno;
  out = std::move(socket);
  return 0;
}

Error listen_error(std::string_view host, std::uint16_t port, int error) {
  const std::string place = join_host_port(host, port);
  switch (error) {
    case EADDRINUSE:
      return {Errc::busy,
              fmt::format(
                  "cannot listen on {}: the address is in use; another broker? choose a port with --override "
                  "listeners=PLAINTEXT://{}",
                  place, join_host_port(host, static_cast<std::uint16_t>(port == 65535 ? 65534 : port + 1)))};
    case EADDRNOTAVAIL:
      return {Errc::invalid_argument,
              fmt::format(
                  "cannot listen on {}: no interface of this machine has that address; use 0.0.0.0 for all "
                  "interfaces and give clients the name in advertised.listeners",
                  place)};
    case EACCES:
      return {
          Errc::invalid_argument,
          fmt::format("cannot listen on {}: permission denied; ports below 1024 need a privilege", place)};
    default:
      return {Errc::unavailable, fmt::format("cannot listen on {}: {}", place, errno_message(error))};
  }
}

}  // namespace

std::uint16_t SocketAddress::port() const {
  if (storage.ss_family == AF_INET6) return ntohs(view_as<sockaddr_in6>(*this).sin6_port);
  if (storage.ss_family == AF_INET) return ntohs(view_as<sockaddr_in>(*this).sin_port);
  return 0;
}

void SocketAddress::set_port(std::uint16_t port) {
  // The port is at the same place in both families.
  static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
  const std::uint16_t network = htons(port);
  ::memcpy(reinterpret_cast<char*>(&storage) + offsetof(sockaddr_in, sin_port), &network, sizeof network);
}

IpKey SocketAddress::ip() const {
  IpKey key;
  if (storage.ss_family == AF_INET6) {
    const auto view = view_as<sockaddr_in6>(*this);
    ::memcpy(key.bytes.data(), &view.sin6_addr, 16);
  } else if (storage.ss_family == AF_INET) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), key.bytes.begin());
    const auto view = view_as<sockaddr_in>(*this);
    ::memcpy(key.bytes.data() + 12, &view.sin_addr, 4);
  }
  return key;
}

std::string SocketAddress::host() const {
  const IpKey key = ip();
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), key.bytes.begin())) {
    ::inet_ntop(AF_INET, key.bytes.data() + 12, text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, key.bytes.data(), text.data(), text.size());
  }
  return text.data();
}

std::string SocketAddress::text() const {
  return join_host_port(host(), port());
}

std::string join_host_port(std::string_view host, std::uint16_t port) {
  return host.find(':') == std::string_view::npos ? fmt::format("{}:{}", host, port)
                                                  : fmt::format("[{}]:{}", host, port);
}

Result<std::vector<SocketAddress>> resolve_for_listening(std::string_view host, std::uint16_t port) {
  if (host.empty())
    return std::vector<SocketAddress>{any_address(AF_INET6, port), any_address(AF_INET, port)};
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int outcome = ::getaddrinfo(std::string(host).c_str(), nullptr, &hints, &found);
  if (outcome != 0) {
    return fail(
        Errc::invalid_argument,
        fmt::format(
            "cannot listen on {}: the host name '{}' is unknown ({}); use an address of this machine, or "
            "0.0.0.0 for all interfaces",
            join_host_port(host, port), host, ::gai_strerror(outcome)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  std::vector<SocketAddress> addresses;
  std::size_t ipv4_count = 0;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    ::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.size = entry->ai_addrlen;
    address.set_port(port);
    const bool known = std::any_of(addresses.begin(), addresses.end(),
                                   [&](const SocketAddress& other) { return other.ip() == address.ip(); });
    if (known) continue;
    const bool is_ipv4 = address.storage.ss_family == AF_INET;
    addresses.insert(
        is_ipv4 ? addresses.begin() + static_cast<std::ptrdiff_t>(ipv4_count++) : addresses.end(), address);
  }
  return addresses;
}

Result<ListeningSockets> bind_to(std::string_view host, std::uint16_t port, const ListenOptions& options) {
  auto addresses = resolve_for_listening(host, port);
  if (!addresses) return std::unexpected(addresses.error());
  ListeningSockets result;
  result.host = host;
  int first_error = 0;
  for (SocketAddress& address : *addresses) {
    if (result.port != 0) address.set_port(result.port);
    Descriptor socket;
    const int error = bind_one(address, options, socket);
    if (error == 0) {
      result.port = address.port();
      result.sockets.push_back(std::move(socket));
      result.addresses.push_back(address);
      // The socket of all IPv6 interfaces takes IPv4 as well.
      if (host.empty()) break;
      continue;
    }
    if (first_error == 0) first_error = error;
    // A machine without IPv6 has names with IPv6 addresses all the same; a taken port is another matter,
    // unless it was the system that chose the port for the first address.
    if (error == EADDRINUSE && (port != 0 || result.sockets.empty()))
      return std::unexpected(listen_error(host, port, error));
  }
  if (result.sockets.empty()) return std::unexpected(listen_error(host, port, first_error));
  return result;
}

Result<void> start_listening(const ListeningSockets& sockets, int backlog) {
  for (const Descriptor& socket : sockets.sockets) {
    if (::listen(socket.get(), backlog) != 0)
      return std::unexpected(listen_error(sockets.host, sockets.port, errno));
  }
  return {};
}

void prepare_accepted(int socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
}

}  // namespace tailwater::shell
