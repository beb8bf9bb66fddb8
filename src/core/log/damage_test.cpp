// Goal: what a start depends on may be damaged without anything that was acknowledged getting lost in
// silence: either the other copy heals it, and that is said, or the directory stays offline and says why.
// Method: logs are written until the ring has gone round and manifests were made, then the process is killed
// or stopped; superblocks and manifests are damaged, in one copy and in both; the next start is compared with
// the model.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/journal/superblock.hpp"
#include "core/log/manifest.hpp"
#include "core/log/test_world.hpp"

namespace tailwater::log {
namespace {

using journal::kBlock;

constexpr const char* kRing = "journal/0.jnl";

enum class End : std::uint8_t {
  kill,
  stop,
  kill_again,  // the newest superblock is that of the start in between, which knows where the journal jumped
               // to
};

class DamagedWorld : public World {
 public:
  DamagedWorld(std::uint64_t seed, End end) : World(seed) {
    options.flush_run_bytes = 4'000;
    start_and_recover();
    Log& a = create("a", {.segment_bytes = 60'000});
    Log& b = create("b");
    for (int each = 0; each < 300; ++each) {
      EXPECT_TRUE(append(a, {.value_size = 500 + random.below(3'000)}).has_value());
      if (each % 3 == 0) EXPECT_TRUE(append(b, {.value_size = random.below(900)}).has_value());
      if (random.one_in(2)) pump();
    }
    pump();
    if (end == End::stop) {
      stop();
      return;
    }
    kill();
    if (end == End::kill) return;
    start_and_recover();
    for (int each = 0; each < 3; ++each) EXPECT_TRUE(append(log("b"), {.value_size = 50}).has_value());
    pump();
    kill();
  }

  Buffer& ring() { return disk.content(kRing); }
  journal::Superblock superblock() {
    journal::Superblock chosen;
    EXPECT_EQ(journal::read_ring_head(Bytes(ring()).first(2 * kBlock), chosen), journal::RingHead::formatted);
    return chosen;
  }
  std::string manifest() { return "manifest/0-" + std::to_string(superblock().manifest_generation); }

  // Whether it comes online; then everything is there.
  bool comes_online() {
    start();
    pump();
    const DirReport& report = storage->report(DirId{0});
    if (report.state == DirState::offline) {
      EXPECT_NE(report.failure.message, "");
      return false;
    }
    match_logs();
    verify();
    return true;
  }
  bool said(std::string_view what) const {
    return std::any_of(faults.begin(), faults.end(),
                       [&](const std::string& fault) { return fault.find(what) != std::string::npos; });
  }
};

class DamageTest : public ::testing::TestWithParam<std::tuple<int, End>> {
 protected:
  DamagedWorld world{static_cast<std::uint64_t>(std::get<0>(GetParam())), std::get<1>(GetParam())};
  Prng random{static_cast<std::uint64_t>(std::get<0>(GetParam())) + 99};

  void flip(Buffer& bytes, std::size_t from, std::size_t size) {
    bytes[from + random.below(size)] ^= static_cast<std::byte>(1u << random.below(8));
  }
};

TEST_P(DamageTest, ABitOfASuperblockIsHealed) {
  ASSERT_GT(world.superblock().trim.value, world.superblock().capacity) << "the ring has not gone round";
  flip(world.ring(), random.below(4) * kBlock / 2, kBlock / 2);
  EXPECT_TRUE(world.comes_online());
}

TEST_P(DamageTest, WithoutASuperblockNothingIsLostInSilence) {
  const std::uint64_t at = journal::superblock_position(world.superblock().sequence + random.below(2));
  for (const std::uint64_t half : {at, at + kBlock / 2}) flip(world.ring(), half, 200);
  const bool online = world.comes_online();
  EXPECT_TRUE(world.said("a superblock of journal/0.jnl cannot be read"));
  if (online) return;
  EXPECT_EQ(world.storage->report(DirId{0}).failure.message.find("a superblock of "), 0u)
      << world.storage->report(DirId{0}).failure.message;
}

TEST_P(DamageTest, ABitOfAManifestIsHealedAndSaid) {
  const std::string path = world.manifest();
  Buffer& content = world.disk.content(path);
  flip(content, random.below(2) * content.size() / 2, content.size() / 2);
  EXPECT_TRUE(world.comes_online());
  EXPECT_TRUE(world.said("manifest " + path + " is damaged; its second copy is whole and counts"));
}

TEST_P(DamageTest, AManifestOfWhichBothCopiesAreDamagedIsNotGuessed) {
  const std::string path = world.manifest();
  Buffer& content = world.disk.content(path);
  for (const std::size_t half : {std::size_t{0}, content.size() / 2}) flip(content, half, content.size() / 2);
  EXPECT_FALSE(world.comes_online());
  EXPECT_EQ(world.storage->report(DirId{0}).failure.message,
            "manifest " + path + ": the manifest's checksum does not match");
}

// --- while the ring grows

// Whether a frame lies behind the first `capacity` bytes of the ring.
bool any_frame_beyond(const Buffer& ring, std::uint64_t capacity) {
  for (std::uint64_t at = journal::kRingStart + capacity; at + kBlock <= ring.size(); at += kBlock) {
    if (journal::decode_frame(Bytes(ring).subspan(at, kBlock))) return true;
  }
  return false;
}

TEST(DamageOfAGrownRing, WithoutTheSuperblockThatSaysSoNothingIsLostInSilence) {
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 10 && !testing::Test::HasFailure(); ++seed) {
    World world(seed);
    const std::uint64_t before = world.options.ring_bytes_start;
    world.options.ring_bytes_max = 2 * before;
    world.options.flush_run_bytes = 1 << 20;
    world.start_and_recover();
    Log& log = world.create("a");
    const auto superblock = [&](std::uint64_t sequence) {
      const Buffer& ring = world.disk.content(kRing);
      return journal::decode_superblock(Bytes(ring).subspan(journal::superblock_position(sequence), kBlock));
    };
    const auto grown = [&] {
      const auto a = superblock(0);
      const auto b = superblock(1);
      return a && b && a->capacity != b->capacity;
    };
    // Records that are acknowledged lie where only the superblock of the growth knows of a ring.
    int batches = 0;
    while (batches < 400 && !(grown() && any_frame_beyond(world.disk.content(kRing), before))) {
      if (world.append(log, {.value_size = 3'000}).has_value()) ++batches;
      world.step();
      if (grown()) {
        world.disk.slow = "manifest/";  // and so the next superblock
        while (world.disk.writes_queued(kRing) > 0 && world.models.at(log.id()).acked < log.end_offset())
          world.step();
      }
    }
    if (!grown()) continue;
    world.kill();
    const std::uint64_t newest = superblock(0)->sequence > superblock(1)->sequence ? 0 : 1;
    Buffer& ring = world.disk.content(kRing);
    for (const std::uint64_t half : {std::uint64_t{0}, kBlock / 2})
      ring[journal::superblock_position(newest) + half + 20] ^= std::byte{1};
    world.start();
    world.pump();
    const DirReport& report = world.storage->report(DirId{0});
    if (report.state != DirState::offline) {
      world.match_logs();
      continue;
    }
    ++refused;
    EXPECT_EQ(
        report.failure.message,
        "a superblock of journal/0.jnl is damaged, and the journal goes on beyond what the other one knows");
  }
  EXPECT_GT(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(Ends, DamageTest,
                         ::testing::Combine(::testing::Range(1, 13),
                                            ::testing::Values(End::kill, End::stop, End::kill_again)));

}  // namespace
}  // namespace tailwater::log
