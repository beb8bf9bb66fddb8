// Goal: request order, barriers and limits of one connection.
// Method: frames with api keys are fed, slots answered in chosen orders, and the sent bytes compared.
#include "core/session/session.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace tailwater::session {
namespace {

constexpr std::int16_t kProduce = 0;
constexpr std::int16_t kMetadata = 3;

std::string frame(std::int16_t api_key, std::string_view rest) {
  std::string bytes(6, '\0');
  store_big(reinterpret_cast<std::byte*>(bytes.data()), static_cast<std::uint32_t>(2 + rest.size()));
  store_big(reinterpret_cast<std::byte*>(bytes.data()) + 4, api_key);
  return bytes + std::string(rest);
}

struct Fixture : testing::Test {
  MemoryBudget budget{16 << 20};
  ReceivePool pool{budget};
  Session session{pool, 1 << 20};

  void feed(std::string_view bytes) {
    const MutableBytes space = session.receive_space();
    ASSERT_GE(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), bytes.size());
    session.received(bytes.size());
  }
  std::vector<SlotId> start_all() {
    std::vector<SlotId> slots;
    while (auto next = session.next_frame()) slots.push_back(next->slot);
    session.settle();
    return slots;
  }
  void answer(SlotId slot, std::string_view text) {
    const Bytes bytes = as_bytes(text);
    session.answer(slot, Response{.bytes = Buffer(bytes.begin(), bytes.end()), .splices = {}});
  }
  std::string sent() {
    std::vector<Bytes> pieces(64);
    pieces.resize(session.gather(pieces));
    std::string flat;
    for (const Bytes piece : pieces) flat += as_text(piece);
    std::vector<std::uint64_t> released;
    ResponsePool spare;
    session.sent(flat.size(), released, spare);
    return flat;
  }
};

TEST_F(Fixture, ProducesRunTogetherAndAnswerInOrder) {
  feed(frame(kProduce, "1") + frame(kProduce, "2") + frame(kProduce, "3"));
  const auto slots = start_all();
  ASSERT_EQ(slots.size(), 3u);
  answer(slots[2], "three");
  answer(slots[1], "two");
  EXPECT_EQ(sent(), "");
  answer(slots[0], "one");
  EXPECT_EQ(sent(), "onetwothree");
  EXPECT_TRUE(session.idle());
}

TEST_F(Fixture, AnyOtherRequestIsABarrierBothWays) {
  feed(frame(kProduce, "1") + frame(kMetadata, "") + frame(kProduce, "2"));
  auto slots = start_all();
  ASSERT_EQ(slots.size(), 1u);
  answer(slots[0], "a");
  slots = start_all();
  ASSERT_EQ(slots.size(), 1u) << "the metadata request alone";
  EXPECT_TRUE(start_all().empty());
  answer(slots[0], "b");
  slots = start_all();
  ASSERT_EQ(slots.size(), 1u);
  session.answer_nothing(slots[0]);
  EXPECT_EQ(sent(), "ab");
}

TEST_F(Fixture, AConnectionThatDoesNotReadItsAnswersIsNotServed) {
  feed(frame(kMetadata, "") + frame(kMetadata, ""));
  const auto slots = start_all();
  ASSERT_EQ(slots.size(), 1u);
  answer(slots[0], std::string(kUnsentBytesMax, 'x'));
  EXPECT_TRUE(start_all().empty());
  EXPECT_TRUE(session.receive_space().empty());
  EXPECT_FALSE(session.wants_resume());
  sent();
  EXPECT_EQ(start_all().size(), 1u);
  EXPECT_TRUE(session.wants_resume());
}

TEST_F(Fixture, NegativeAndHugeSizesBreakTheConnection) {
  for (const std::uint32_t size : {0x80000000u, 0xffffffffu, 0x7fffffffu, (1u << 20) + 1}) {
    Session broken(pool, 1 << 20);
    const MutableBytes space = broken.receive_space();
    store_big(space.data(), size);
    broken.received(4);
    EXPECT_FALSE(broken.next_frame().has_value());
    EXPECT_TRUE(broken.broken());
    broken.settle();
    EXPECT_TRUE(broken.receive_space().empty());
  }
}

TEST_F(Fixture, EverySplitOfTheStreamGivesTheSameRequests) {
  const std::string stream = frame(kMetadata, "abc") + frame(kProduce, "de") + frame(kProduce, "");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    Session one(pool, 1 << 20);
    std::string seen;
    const auto take = [&](std::string_view part) {
      if (part.empty()) return;
      const MutableBytes space = one.receive_space();
      ASSERT_GE(space.size(), part.size());
      std::memcpy(space.data(), part.data(), part.size());
      one.received(part.size());
      while (auto next = one.next_frame()) {
        seen += std::to_string(next->bytes.size()) + std::string(as_text(next->bytes.subspan(2))) + ";";
        one.answer_nothing(next->slot);
      }
      one.settle();
    };
    take(stream.substr(0, cut));
    take(stream.substr(cut));
    EXPECT_EQ(seen, "5abc;4de;2;") << "cut at " << cut;
  }
}

}  // namespace
}  // namespace tailwater::session
