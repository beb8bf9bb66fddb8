// Goal: accepted connections are handed on in turn, refused ones are closed, stopping closes the door.
// Method: the loopback interface with a port of the system's choice; waiting is on what must come, not on
// time.
#include "shell/net/acceptor.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

namespace tailwater::shell {
namespace {

Descriptor dial(const SocketAddress& address) {
  Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0)
    return {};
  return socket;
}

class AcceptorTest : public ::testing::Test {
 protected:
  void start(ConnectionLimitValues values = {}) {
    limits.configure(values);
    std::vector<BoundListener> listeners;
    listeners.push_back({ListenerId{3}, "PLAINTEXT", std::move(bind_to("127.0.0.1", 0).value())});
    address = listeners[0].sockets.addresses[0];
    acceptor = std::make_unique<Acceptor>(std::move(listeners), limits, log,
                                          [this](std::uint64_t turn, AcceptedSocket socket) {
                                            const std::lock_guard lock(mutex);
                                            turns.push_back(turn);
                                            sockets.push_back(std::move(socket));
                                            changed.notify_all();
                                          });
  }
  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(10), [&] { return sockets.size() >= count; }));
  }

  std::string lines;
  Log log{{.sink = [this](std::string_view text) { lines += text; }}};
  ConnectionLimits limits{{}};
  SocketAddress address;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::uint64_t> turns;
  std::vector<AcceptedSocket> sockets;
  std::unique_ptr<Acceptor> acceptor;
};

TEST_F(AcceptorTest, HandsOnInTurn) {
  start();
  EXPECT_FALSE(dial(address));  // bound, but not open yet
  ASSERT_TRUE(acceptor->start(64).has_value());
  const Descriptor first = dial(address);
  const Descriptor second = dial(address);
  ASSERT_TRUE(first);
  wait_for(2);
  EXPECT_EQ(turns, (std::vector<std::uint64_t>{0, 1}));
  EXPECT_EQ(sockets[0].listener, ListenerId{3});
  EXPECT_EQ(sockets[0].peer.host(), "127.0.0.1");
  acceptor->stop();
  EXPECT_FALSE(dial(address));
}

TEST_F(AcceptorTest, RefusedConnectionsAreClosedAndSaid) {
  start({.per_ip = 1});
  ASSERT_TRUE(acceptor->start(64).has_value());
  const Descriptor first = dial(address);
  wait_for(1);
  const Descriptor second = dial(address);
  char byte = 0;
  EXPECT_LE(::read(second.get(), &byte, 1), 0);
  EXPECT_EQ(limits.refused(), 1u);
  EXPECT_TRUE(log.flush());
  EXPECT_NE(lines.find("max.connections.per.ip"), std::string::npos) << lines;
}

TEST_F(AcceptorTest, OtherLimitsHoldForWhoeverComesNext) {
  start();
  ASSERT_TRUE(acceptor->start(64).has_value());
  const Descriptor first = dial(address);
  wait_for(1);
  acceptor->limit({.total = 1});
  const Descriptor second = dial(address);
  char byte = 0;
  EXPECT_LE(::read(second.get(), &byte, 1), 0);
  acceptor->limit({.total = 2});
  const Descriptor third = dial(address);
  wait_for(2);
}

TEST_F(AcceptorTest, WithoutDescriptorsItPausesAndComesBack) {
  start();
  ASSERT_TRUE(acceptor->start(64).has_value());
  const Descriptor probe(::dup(0));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  // Room for the client's end of the connection and for nothing else.
  Descriptor client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const rlimit tight{static_cast<rlim_t>(client.get()) + 1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size), 0);
  while (acceptor->pauses() == 0) ::usleep(1000);
  EXPECT_EQ(acceptor->accepted(), 0u);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  wait_for(1);
  EXPECT_TRUE(log.flush());
  EXPECT_NE(lines.find("no descriptors left"), std::string::npos) << lines;
}

}  // namespace
}  // namespace tailwater::shell
