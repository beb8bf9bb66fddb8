// Sockets without a loop: addresses, listening, options. Errors are sentences for the user who configured the
// address.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "shell/disk/descriptor.hpp"

namespace tailwater::shell {

// A host's address without port, as a key: IPv4 is kept in its IPv6-mapped form, so the same host is the same
// key on every kind of socket.
struct IpKey {
  std::array<std::uint8_t, 16> bytes{};
  friend auto operator<=>(const IpKey&, const IpKey&) = default;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  std::uint16_t port() const;
  void set_port(std::uint16_t port);
  IpKey ip() const;
  std::string host() const;  // "127.0.0.1", "::1"; an IPv4 address that came in over IPv6 is written as IPv4
  std::string text() const;  // "127.0.0.1:9092", "[::1]:9092"
};

std::string join_host_port(std::string_view host, std::uint16_t port);

// The addresses of a host name or a literal, IPv4 ones first. An empty host: all interfaces of both families.
Result<std::vector<SocketAddress>> resolve_for_listening(std::string_view host, std::uint16_t port);

struct ListenOptions {
  bool reuse_port = false;  // share the port between several sockets of this process
  int receive_buffer = -1;  // SO_RCVBUF; -1: the system's choice
  int send_buffer = -1;
};

// All sockets that one configured "host:port" needs: one for each address that the host has. Port 0 takes a
// free one, the same for all addresses. They are bound, and refuse connections until start_listening().
struct ListeningSockets {
  std::string host;  // as configured
  std::vector<Descriptor> sockets;
  std::vector<SocketAddress> addresses;
  std::uint16_t port = 0;
};
Result<ListeningSockets> bind_to(std::string_view host, std::uint16_t port,
                                 const ListenOptions& options = {});
// Connections are accepted by the system from here on.
Result<void> start_listening(const ListeningSockets& sockets, int backlog);

// TCP_NODELAY and keepalive. An error is no reason not to serve: it is ignored.
void prepare_accepted(int socket);

}  // namespace tailwater::shell
