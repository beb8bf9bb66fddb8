// Goal: a plain stream says apart "nothing now", "ended" and "broken". Method: a socket pair.
#include "shell/net/stream.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

namespace tailwater::shell {
namespace {

struct Pair {
  std::unique_ptr<Stream> near;
  Descriptor far;
};

Pair make_pair_of_streams() {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
  return {make_plain_stream(Descriptor(ends[0])), Descriptor(ends[1])};
}

TEST(Stream, NothingThenBytesThenEnd) {
  Pair pair = make_pair_of_streams();
  std::array<std::byte, 16> space;
  EXPECT_EQ(pair.near->receive(space).status, StreamStatus::wait_read);
  ASSERT_EQ(::send(pair.far.get(), "abc", 3, 0), 3);
  const StreamResult got = pair.near->receive(space);
  EXPECT_EQ(got.status, StreamStatus::done);
  EXPECT_EQ(as_text(Bytes(space).first(got.bytes)), "abc");
  pair.far.reset();
  EXPECT_EQ(pair.near->receive(space).status, StreamStatus::ended);
}

TEST(Stream, SendGathersAndStopsWhenThePeerDoesNotRead) {
  Pair pair = make_pair_of_streams();
  char first[] = "he";
  char second[] = "llo";
  const std::array<iovec, 2> pieces = {iovec{first, 2}, iovec{second, 3}};
  EXPECT_EQ(pair.near->send(pieces).bytes, 5u);
  char text[8] = {};
  EXPECT_EQ(::recv(pair.far.get(), text, sizeof text, 0), 5);
  EXPECT_STREQ(text, "hello");
  std::vector<std::byte> large(1 << 20);
  const std::array<iovec, 1> much = {iovec{large.data(), large.size()}};
  StreamResult result;
  for (int round = 0; round < 100 && result.status == StreamStatus::done; ++round)
    result = pair.near->send(much);
  EXPECT_EQ(result.status, StreamStatus::wait_write);
  pair.far.reset();
  EXPECT_EQ(pair.near->send(pieces).status, StreamStatus::failed);
}

}  // namespace
}  // namespace tailwater::shell
