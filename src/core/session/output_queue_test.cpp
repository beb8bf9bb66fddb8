// Goal: bytes leave in order and borrowed payload is released exactly once, however the socket cuts them.
// Method: one queue of three responses is sent in every step size and compared with the flat bytes.
#include "core/session/output_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace tailwater::session {
namespace {

Buffer buffer(std::string_view text) {
  const Bytes bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

void fill(OutputQueue& queue) {
  queue.push({.bytes = buffer("abcdef"),
              .splices = {{2, as_bytes("XYZ"), 1}, {2, as_bytes(""), 2}, {6, as_bytes("tail"), 3}}});
  queue.push({.bytes = buffer("plain"), .splices = {}});
  queue.push({.bytes = buffer("end"), .splices = {{0, as_bytes("front"), 4}}});
}

constexpr std::string_view kFlat = "abXYZcdeftailplainfrontend";

TEST(OutputQueue, EveryStepSize) {
  for (std::size_t step = 1; step <= kFlat.size(); ++step) {
    for (std::size_t pieces_max = 1; pieces_max <= 9; ++pieces_max) {
      OutputQueue queue;
      fill(queue);
      ASSERT_EQ(queue.size(), kFlat.size());
      std::string received;
      std::vector<std::uint64_t> released;
      ResponsePool spare;
      while (!queue.empty()) {
        std::vector<Bytes> pieces(pieces_max);
        const std::size_t count = queue.gather(pieces);
        ASSERT_GT(count, 0u);
        std::string flat;
        for (std::size_t at = 0; at < count; ++at) flat += as_text(pieces[at]);
        const std::size_t taken = std::min(step, flat.size());
        received += flat.substr(0, taken);
        queue.sent(taken, released, spare);
      }
      EXPECT_EQ(received, kFlat);
      EXPECT_GT(spare.memory(), 0U);
      EXPECT_EQ(released, (std::vector<std::uint64_t>{1, 2, 3, 4})) << "step " << step;
    }
  }
}

TEST(OutputQueue, ClearReleasesWhatIsNotReleasedYet) {
  for (std::size_t sent = 0; sent <= kFlat.size(); ++sent) {
    OutputQueue queue;
    fill(queue);
    std::vector<std::uint64_t> released;
    ResponsePool spare;
    queue.sent(sent, released, spare);
    queue.clear(released);
    EXPECT_EQ(released, (std::vector<std::uint64_t>{1, 2, 3, 4})) << "after " << sent;
    EXPECT_TRUE(queue.empty());
  }
}

TEST(ResponsePool, KeepsMemoryAndNotMuchOfIt) {
  constexpr std::size_t kSmall = 5;
  constexpr std::size_t kLarge = 60'000;
  ResponsePool pool;
  EXPECT_EQ(pool.take(kSmall).bytes.capacity(), 0U);
  pool.give({.bytes = buffer("small"), .splices = {}});
  pool.give({.bytes = Buffer(kLarge), .splices = std::vector<Splice>(1'000)});
  for (const std::size_t size : {kLarge, kSmall}) {
    const Response again = pool.take(size);
    EXPECT_TRUE(again.bytes.empty());
    EXPECT_TRUE(again.splices.empty());
    EXPECT_GE(again.bytes.capacity(), size);
  }
  EXPECT_EQ(pool.take(kLarge).bytes.capacity(), 0U) << "each is given once";
  pool.give({.bytes = buffer("small"), .splices = {}});
  EXPECT_GT(pool.take(kLarge).bytes.capacity(), 0U) << "a small one, rather than none";
  EXPECT_EQ(pool.memory(), 0U);
  pool.give({.bytes = Buffer(8 << 20), .splices = {}});
  EXPECT_EQ(pool.memory(), 0U) << "too large to be kept";
  for (int each = 0; each < 2'000; ++each) pool.give({.bytes = Buffer(1'000), .splices = {}});
  for (int each = 0; each < 2'000; ++each) pool.give({.bytes = Buffer(kLarge), .splices = {}});
  EXPECT_LE(pool.memory(), 5U << 20);
}

}  // namespace
}  // namespace tailwater::session
