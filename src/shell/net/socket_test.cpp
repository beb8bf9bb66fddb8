// Goal: a configured listener becomes the right sockets, and each way it can fail is a sentence that says
// what to do. Method: the loopback interface with ports chosen by the system.
#include "shell/net/socket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tailwater::shell {
namespace {

using ::testing::HasSubstr;

Result<ListeningSockets> listen_on(std::string_view host, std::uint16_t port) {
  auto sockets = bind_to(host, port);
  if (!sockets) return sockets;
  if (auto started = start_listening(*sockets, 16); !started) return std::unexpected(started.error());
  return sockets;
}

TEST(Socket, PortZeroIsTheSystemsChoice) {
  const auto sockets = listen_on("127.0.0.1", 0);
  ASSERT_TRUE(sockets.has_value()) << sockets.error().message;
  ASSERT_EQ(sockets->sockets.size(), 1u);
  EXPECT_NE(sockets->port, 0);
  EXPECT_EQ(sockets->addresses[0].text(), "127.0.0.1:" + std::to_string(sockets->port));
}

TEST(Socket, PortInUseSaysSoAndNamesTheWayOut) {
  const auto first = listen_on("127.0.0.1", 0);
  ASSERT_TRUE(first.has_value());
  const auto second = listen_on("127.0.0.1", first->port);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_THAT(second.error().message, HasSubstr("cannot listen on 127.0.0.1:" + std::to_string(first->port) +
                                                ": the address is in use"));
  EXPECT_THAT(second.error().message, HasSubstr("--override listeners="));
}

TEST(Socket, UnknownHostAndForeignAddress) {
  const auto unknown = listen_on("no-such-host.invalid", 9092);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().message, HasSubstr("the host name 'no-such-host.invalid' is unknown"));
  const auto foreign = listen_on("192.0.2.1", 0);
  ASSERT_FALSE(foreign.has_value());
  EXPECT_THAT(foreign.error().message, HasSubstr("no interface of this machine has that address"));
}

TEST(Socket, LocalhostListensOnAllItsAddressesWithOnePort) {
  const auto sockets = listen_on("localhost", 0);
  ASSERT_TRUE(sockets.has_value()) << sockets.error().message;
  for (const SocketAddress& address : sockets->addresses) EXPECT_EQ(address.port(), sockets->port);
}

TEST(Socket, EmptyHostTakesAllInterfaces) {
  const auto sockets = listen_on("", 0);
  ASSERT_TRUE(sockets.has_value()) << sockets.error().message;
  EXPECT_EQ(sockets->sockets.size(), 1u);
}

TEST(Socket, MappedAddressesAreWrittenAsIpv4AndCompareEqual) {
  const auto plain = resolve_for_listening("127.0.0.1", 1);
  const auto mapped = resolve_for_listening("::ffff:127.0.0.1", 1);
  ASSERT_TRUE(plain.has_value());
  ASSERT_TRUE(mapped.has_value());
  EXPECT_EQ(mapped->at(0).host(), "127.0.0.1");
  EXPECT_EQ(plain->at(0).ip(), mapped->at(0).ip());
  const auto six = resolve_for_listening("::1", 9092);
  ASSERT_TRUE(six.has_value());
  EXPECT_EQ(six->at(0).text(), "[::1]:9092");
}

}  // namespace
}  // namespace tailwater::shell
