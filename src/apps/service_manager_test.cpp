// Goal: a service manager hears what it waits for, on both kinds of socket names. Method: a datagram socket
// of our own.
#include "apps/service_manager.hpp"

#include <gtest/gtest.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "shell/disk/descriptor.hpp"

namespace tailwater::apps {
namespace {

std::string receive(const shell::Descriptor& socket) {
  char buffer[64] = {};
  const ssize_t got = ::recv(socket.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  return got < 0 ? "nothing" : std::string(buffer, static_cast<std::size_t>(got));
}

TEST(ServiceManager, TellsReadinessAndLife) {
  const std::string name = "@tailwater-test-" + std::to_string(::getpid());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  address.sun_path[0] = 0;
  const shell::Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
            0);
  ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  ::setenv("WATCHDOG_USEC", "10000000", 1);
  const ServiceManager manager;
  EXPECT_EQ(manager.watchdog_interval_ms(), 5000);
  manager.ready();
  EXPECT_EQ(receive(socket), "READY=1");
  manager.keep_alive();
  EXPECT_EQ(receive(socket), "WATCHDOG=1");
  manager.stopping();
  EXPECT_EQ(receive(socket), "STOPPING=1");
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("WATCHDOG_USEC");
}

TEST(ServiceManager, WithoutOneNothingHappens) {
  ::unsetenv("NOTIFY_SOCKET");
  const ServiceManager manager;
  EXPECT_EQ(manager.watchdog_interval_ms(), -1);
  manager.ready();
}

}  // namespace
}  // namespace tailwater::apps
