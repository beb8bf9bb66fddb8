// Goal: bytes arrive whole and in order in both directions whatever the socket's moods; a machine without
// room stops reading; large answers do not hold up small ones; nothing is lost when a peer ends; idlers are
// closed, busy ones not. Method: socket pairs and a machine that follows a script; time is handed in.
#include "shell/net/connections.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <map>
#include <string>

namespace tailwater::shell {
namespace {

class ScriptedMachine final : public ConnectionMachine {
 public:
  struct Side {
    std::string got;
    std::string to_send;
    std::size_t room = SIZE_MAX;  // bytes that it still accepts
    std::vector<std::byte> space = std::vector<std::byte>(4096);
    int disconnected = 0;
  };
  std::map<std::uint64_t, Side> sides;
  std::vector<ConnectionId> order;

  void connected(ConnectionId id, ListenerId, node::Peer, Now) override {
    sides[id.value];
    order.push_back(id);
  }
  MutableBytes receive_space(ConnectionId id) override {
    Side& side = sides.at(id.value);
    return MutableBytes(side.space).first(std::min(side.space.size(), side.room));
  }
  void received(ConnectionId id, std::size_t bytes, Now) override {
    Side& side = sides.at(id.value);
    side.got += as_text(Bytes(side.space).first(bytes));
    if (side.room != SIZE_MAX) side.room -= bytes;
  }
  std::size_t gather(ConnectionId id, std::span<Bytes> pieces) override {
    // Pieces of 1000 bytes, so that a large answer needs many.
    std::string_view rest = sides.at(id.value).to_send;
    std::size_t count = 0;
    for (; !rest.empty() && count < pieces.size(); ++count) {
      pieces[count] = as_bytes(rest.substr(0, 1000));
      rest.remove_prefix(std::min<std::size_t>(1000, rest.size()));
    }
    return count;
  }
  void sent(ConnectionId id, std::size_t bytes, Now) override { sides.at(id.value).to_send.erase(0, bytes); }
  void disconnected(ConnectionId id) override { ++sides.at(id.value).disconnected; }
};

class ConnectionsTest : public ::testing::Test {
 protected:
  static Now at_ms(std::int64_t ms) { return {Instant{ms * 1'000'000}, WallTime{ms}}; }

  void make(ConnectionOptions options = {}) {
    connections = std::make_unique<Connections>(
        ShardId{0}, poller, machine, options, [this](const IpKey&) { ++released; },
        [](ListenerId, Descriptor socket) { return make_plain_stream(std::move(socket)); });
  }

  // Returns the peer's end; the new connection's id is machine.order.back().
  Descriptor connect(std::int64_t ms = 0) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    connections->adopt(AcceptedSocket{Descriptor(ends[0]), ListenerId{0}, {}}, at_ms(ms));
    return Descriptor(ends[1]);
  }

  void turn(std::int64_t ms = 0) {
    for (const epoll_event& event : poller.wait(0)) connections->on_event(event.data.u64, event.events);
    connections->gather(at_ms(ms));
    connections->send_waiting(at_ms(ms));
    connections->settle();
  }

  ScriptedMachine::Side& side(std::size_t index = 0) {
    return machine.sides.at(machine.order.at(index).value);
  }

  static std::string drain(const Descriptor& peer) {
    std::string all;
    char buffer[65536];
    for (;;) {
      const ssize_t got = ::recv(peer.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(got));
    }
  }
  static void say(const Descriptor& peer, std::string_view text) {
    ASSERT_EQ(::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }

  Poller poller;
  ScriptedMachine machine;
  std::unique_ptr<Connections> connections;
  int released = 0;
};

std::string pattern(std::size_t size) {
  std::string text(size, 0);
  for (std::size_t index = 0; index < size; ++index) text[index] = static_cast<char>('a' + index * 7 % 23);
  return text;
}

TEST_F(ConnectionsTest, ReceivesAndSends) {
  make();
  const Descriptor peer = connect();
  say(peer, "hello");
  turn();
  EXPECT_EQ(side().got, "hello");
  side().to_send = "answer";
  EXPECT_TRUE(connections->flush(machine.order[0], at_ms(0)));
  EXPECT_EQ(drain(peer), "answer");
  EXPECT_FALSE(connections->has_work());
}

TEST_F(ConnectionsTest, ASmallRequestIsOneReceiveAndOneSend) {
  make();
  const Descriptor peer = connect();
  for (std::uint64_t request = 1; request <= 3; ++request) {
    say(peer, "request");
    turn();
    side().to_send = "answer";
    connections->flush(machine.order[0], at_ms(0));
    EXPECT_EQ(drain(peer), "answer");
    turn();
    EXPECT_EQ(connections->counters().receives, request);
    EXPECT_EQ(connections->counters().sends, request);
  }
}

TEST_F(ConnectionsTest, ReadsNoMoreThanItsShareAndComesBack) {
  make({.read_per_turn = 10'000});
  const Descriptor peer = connect();
  const std::string text = pattern(25'000);
  say(peer, text);
  turn();
  EXPECT_EQ(side().got.size(), 10'000u);
  EXPECT_TRUE(connections->has_work());
  turn();
  turn();
  EXPECT_EQ(side().got, text);
  turn();
  EXPECT_FALSE(connections->has_work());
}

TEST_F(ConnectionsTest, MachineWithoutRoomIsLeftAloneUntilItResumes) {
  make();
  const Descriptor peer = connect();
  side().room = 4;
  say(peer, "abcdefgh");
  turn();
  EXPECT_EQ(side().got, "abcd");
  EXPECT_FALSE(connections->has_work());
  say(peer, "ij");
  turn();
  EXPECT_EQ(side().got, "abcd");
  side().room = SIZE_MAX;
  connections->resume(machine.order[0]);
  EXPECT_TRUE(connections->has_work());
  turn();
  EXPECT_EQ(side().got, "abcdefghij");
}

TEST_F(ConnectionsTest, LargeAnswerWaitsForASlowReader) {
  make();
  const Descriptor peer = connect();
  const std::string text = pattern(8 << 20);
  side().to_send = text;
  std::string got;
  connections->flush(machine.order[0], at_ms(0));
  EXPECT_GT(side().to_send.size(), 0u);
  turn();
  EXPECT_FALSE(connections->has_work());  // it does not spin on a full socket
  for (int round = 0; round < 1000 && got.size() < text.size(); ++round) {
    got += drain(peer);
    turn();
  }
  EXPECT_EQ(got, text);
  EXPECT_EQ(connections->counters().bytes_sent, text.size());
}

TEST_F(ConnectionsTest, ASmallAnswerGoesBeforeALargeOne) {
  make({.small_send = 1'000});
  const Descriptor reader = connect();
  const Descriptor writer = connect();
  side(0).to_send = pattern(20'000);
  side(1).to_send = "acknowledged";
  EXPECT_FALSE(connections->flush(machine.order[0], at_ms(0)));
  EXPECT_TRUE(connections->flush(machine.order[1], at_ms(0)));
  EXPECT_EQ(drain(writer), "acknowledged");
  EXPECT_EQ(drain(reader), "");
  EXPECT_TRUE(connections->has_work());
  EXPECT_TRUE(connections->send_waiting(at_ms(0)));
  EXPECT_EQ(drain(reader), pattern(20'000));
  EXPECT_FALSE(connections->has_work());
}

TEST_F(ConnectionsTest, LargeAnswersShareATurnInTheOrderInWhichTheyCame) {
  make({.small_send = 1'000, .send_slice = 10'000, .send_per_turn = 10'000});
  std::vector<Descriptor> readers;
  std::vector<std::size_t> got(3);
  for (std::size_t each = 0; each < got.size(); ++each) {
    readers.push_back(connect());
    side(each).to_send = pattern(20'000);
    connections->flush(machine.order[each], at_ms(0));
  }
  for (std::size_t round = 0; round < 6; ++round) {
    turn(1'000);
    for (std::size_t each = 0; each < got.size(); ++each) got[each] += drain(readers[each]).size();
    EXPECT_EQ(got[round % 3], 10'000 * (round / 3 + 1)) << round;
    EXPECT_EQ(got[0] + got[1] + got[2], 10'000 * (round + 1)) << round;
  }
  EXPECT_FALSE(connections->has_work());
}

TEST_F(ConnectionsTest, WhoeverAsksMeanwhileWaitsForOneSliceOfALargeAnswer) {
  make({.small_send = 1'000, .send_slice = 5'000, .send_per_turn = 50'000});
  const Descriptor reader = connect();
  const Descriptor writer = connect();
  const auto sent = [&] {
    const std::uint64_t before = connections->counters().bytes_sent;
    connections->send_waiting(at_ms(0));
    return connections->counters().bytes_sent - before;
  };
  turn();
  side(0).to_send = pattern(120'000);
  connections->flush(machine.order[0], at_ms(0));
  EXPECT_EQ(sent(), 50'000U) << "nobody asks";
  say(writer, pattern(8'000));
  EXPECT_EQ(sent(), 5'000U);
  EXPECT_EQ(sent(), 5'000U) << "it still waits";
  for (const epoll_event& event : poller.wait(0)) connections->on_event(event.data.u64, event.events);
  connections->gather(at_ms(0));
  EXPECT_EQ(side(1).got, pattern(8'000));
  say(writer, "one more");
  EXPECT_EQ(sent(), 8'000U) << "as much as came";
  EXPECT_EQ(sent(), 5'000U);
}

TEST_F(ConnectionsTest, ALargeAnswerGivesWayToWhatComes) {
  make({.small_send = 1'000, .send_slice = 8'000, .send_per_turn = 50'000});
  std::vector<Descriptor> readers;
  const Descriptor writer = connect();
  const auto add_reader = [&] {
    readers.push_back(connect());
    side(readers.size()).to_send = pattern(150'000);
    connections->flush(machine.order[readers.size()], at_ms(0));
  };
  std::size_t unread = 0;
  const auto sent_beside = [&](std::size_t bytes) {
    say(writer, pattern(bytes - unread));
    for (const epoll_event& event : poller.wait(0)) connections->on_event(event.data.u64, event.events);
    connections->gather(at_ms(0));
    say(writer, "one more");  // so that the turn ends behind the first slice
    unread = 8;
    const std::uint64_t before = connections->counters().bytes_sent;
    connections->send_waiting(at_ms(0));
    return connections->counters().bytes_sent - before;
  };
  add_reader();
  EXPECT_EQ(sent_beside(100), 7'200U);
  EXPECT_EQ(sent_beside(400), 4'800U);
  EXPECT_EQ(sent_beside(3'000), 4'000U) << "half of it at least";
  EXPECT_EQ(sent_beside(6'000), 6'000U) << "as much as came";
  add_reader();
  EXPECT_EQ(sent_beside(3'000), 6'000U) << "for each";
  EXPECT_EQ(sent_beside(7'000), 8'000U) << "in a slice";
}

TEST_F(ConnectionsTest, AtTheEndAllThatWaitsIsSent) {
  make({.small_send = 1'000, .send_slice = 10'000, .send_per_turn = 10'000});
  const Descriptor one = connect();
  const Descriptor other = connect();
  for (std::size_t each = 0; each < 2; ++each) {
    side(each).to_send = pattern(50'000);
    connections->flush(machine.order[each], at_ms(0));
  }
  connections->send_rest(at_ms(0));
  EXPECT_EQ(drain(one), pattern(50'000));
  EXPECT_EQ(drain(other), pattern(50'000));
  EXPECT_FALSE(connections->has_work());
}

TEST_F(ConnectionsTest, WhatWasSentBeforeTheEndArrivesFirst) {
  make();
  Descriptor peer = connect();
  const std::string text = pattern(10'000);
  say(peer, text);
  peer.reset();
  for (const epoll_event& event : poller.wait(0)) connections->on_event(event.data.u64, event.events);
  connections->gather(at_ms(0));
  EXPECT_EQ(side().got, text);
  EXPECT_EQ(side().disconnected, 0);  // the machine has its turn first
  EXPECT_TRUE(connections->has_work());
  EXPECT_TRUE(connections->settle());
  EXPECT_EQ(side().disconnected, 1);
  EXPECT_EQ(connections->count(), 0u);
  EXPECT_EQ(released, 1);
  EXPECT_FALSE(connections->settle());
}

TEST_F(ConnectionsTest, EndAfterAQuietTimeIsNoticed) {
  make();
  Descriptor peer = connect();
  say(peer, "x");
  turn();
  peer.reset();
  turn();
  EXPECT_EQ(side().disconnected, 1);
}

TEST_F(ConnectionsTest, PausedPeerThatIsGoneIsDropped) {
  make();
  Descriptor peer = connect();
  side().room = 0;
  say(peer, "abc");
  turn();
  peer.reset();
  turn();
  EXPECT_EQ(side().disconnected, 1);
  EXPECT_EQ(connections->count(), 0u);
}

TEST_F(ConnectionsTest, ClosedByTheMachineIsForgotten) {
  make();
  const Descriptor peer = connect();
  const ConnectionId id = machine.order[0];
  side().to_send = "bye";
  connections->flush(id, at_ms(0));
  connections->close(id);
  EXPECT_EQ(drain(peer), "bye");
  EXPECT_EQ(side().disconnected, 0);
  EXPECT_EQ(released, 1);
  connections->resume(id);
  connections->close(id);
  EXPECT_FALSE(connections->flush(id, at_ms(0)));
  turn();
  // The slot is used again under another id.
  const Descriptor next = connect();
  EXPECT_NE(machine.order[1], id);
}

TEST_F(ConnectionsTest, IdlersAreClosedInTheOrderOfTheirSilence) {
  make({.idle_max = Duration::from_ms(10'000)});
  const Descriptor first = connect(0);
  const Descriptor second = connect(1000);
  const Descriptor third = connect(2000);
  say(first, "x");
  turn(5000);
  connections->close_idle(at_ms(10'999));
  EXPECT_EQ(connections->count(), 3u);
  EXPECT_EQ(connections->idle_deadline(), at_ms(11'000).monotonic);
  connections->close_idle(at_ms(12'000));
  EXPECT_EQ(connections->count(), 1u);
  EXPECT_EQ(side(0).disconnected, 0);
  EXPECT_EQ(side(1).disconnected, 1);
  EXPECT_EQ(side(2).disconnected, 1);
  EXPECT_EQ(connections->idle_deadline(), at_ms(15'000).monotonic);
  connections->close_idle(at_ms(15'000));
  EXPECT_EQ(connections->idle_deadline(), Instant::max());
  EXPECT_EQ(connections->counters().closed_idle, 3u);
}

// A stream that gives one byte at a time and never knows whether there is more, and that needs the other
// direction of readiness once before each transfer: what TLS may do.
class Capricious final : public Stream {
 public:
  explicit Capricious(Descriptor socket) : plain_(make_plain_stream(std::move(socket))) {}
  int descriptor() const override { return plain_->descriptor(); }
  StreamResult receive(MutableBytes space) override {
    if ((receives_++ & 1) == 0) return {StreamStatus::wait_write, 0};
    StreamResult result = plain_->receive(space.first(1));
    result.drained = false;
    return result;
  }
  StreamResult send(std::span<const iovec> pieces) override {
    if ((sends_++ & 1) == 0) return {StreamStatus::wait_read, 0};
    const iovec first{pieces[0].iov_base, std::min<std::size_t>(pieces[0].iov_len, 3)};
    return plain_->send({&first, 1});
  }

 private:
  std::unique_ptr<Stream> plain_;
  int receives_ = 0;
  int sends_ = 0;
};

TEST_F(ConnectionsTest, StreamsMayWantTheOtherReadiness) {
  connections = std::make_unique<Connections>(
      ShardId{0}, poller, machine, ConnectionOptions{}, [](const IpKey&) {},
      [](ListenerId, Descriptor socket) { return std::make_unique<Capricious>(std::move(socket)); });
  const Descriptor peer = connect();
  const ConnectionId id = machine.order[0];
  // Edges come from the peer's side: each of its bytes makes the socket readable, its reading makes it
  // writable.
  const std::uint32_t both = EPOLLIN | EPOLLOUT;
  say(peer, "abc");
  for (int round = 0; round < 8; ++round) {
    connections->on_event(id.value, both);
    turn();
  }
  EXPECT_EQ(side().got, "abc");
  side().to_send = "answer";
  EXPECT_FALSE(connections->flush(id, at_ms(0)));
  EXPECT_EQ(drain(peer), "");
  for (int round = 0; round < 8; ++round) {
    connections->on_event(id.value, both);
    turn();
  }
  EXPECT_EQ(drain(peer), "answer");
}

TEST_F(ConnectionsTest, ManyConnectionsAreServedInOneTurn) {
  make();
  std::vector<Descriptor> peers;
  for (int index = 0; index < 200; ++index) peers.push_back(connect());
  for (const Descriptor& peer : peers) say(peer, "ping");
  turn();
  for (std::size_t index = 0; index < peers.size(); ++index) EXPECT_EQ(side(index).got, "ping");
}

}  // namespace
}  // namespace tailwater::shell
