// Goal: a gather finishes once, when its last answer is there, with every answer at its own place.
// Method: all orders in which three answers may come; gathers that overlap.
#include "node/calls.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "node/context.hpp"

namespace tailwater::node {
namespace {

AnswerBody answer(std::int64_t offset) {
  return PartitionAnswer{.error = {}, .offset = offset};
}

std::vector<std::int64_t> offsets_of(const std::vector<AnswerBody>& answers) {
  std::vector<std::int64_t> offsets;
  for (const AnswerBody& each : answers) offsets.push_back(std::get<PartitionAnswer>(each).offset);
  return offsets;
}

class CallsTest : public testing::Test {
 protected:
  Context context{{.shard = ShardId{1}, .shards = 3}, nullptr};
  Calls calls{context};

  // The gather number of the question that was sent as number `at`.
  std::uint64_t gather_of(std::size_t at) const {
    return std::get<CallMail>(context.outbox.at(at).mail->content).gather;
  }
};

TEST_F(CallsTest, answers_may_come_in_any_order) {
  std::array<std::uint32_t, 3> order{0, 1, 2};
  do {
    context.outbox.clear();
    int finished = 0;
    std::vector<std::int64_t> offsets;
    auto gather = calls.begin(3, [&](std::vector<AnswerBody>& answers) {
      ++finished;
      offsets = offsets_of(answers);
    });
    for (std::uint32_t part = 0; part < 3; ++part) gather.ask(ShardId{part}, part, LogSizesQuery{});
    for (std::uint32_t part = 0; part < 3; ++part) {
      const auto& mail = std::get<CallMail>(context.outbox.at(part).mail->content);
      EXPECT_EQ(mail.part, part);
      EXPECT_EQ(context.outbox[part].to, ShardId{part});
    }
    const std::uint64_t id = gather_of(0);
    for (std::size_t count = 0; count < 3; ++count) {
      EXPECT_EQ(finished, 0);
      calls.answered(id, order[count], answer(order[count] * 10));
    }
    EXPECT_EQ(finished, 1);
    EXPECT_EQ(offsets, (std::vector<std::int64_t>{0, 10, 20}));
  } while (std::ranges::next_permutation(order).found);
}

TEST_F(CallsTest, a_gather_of_nothing_is_finished_at_once) {
  bool finished = false;
  calls.begin(0, [&](std::vector<AnswerBody>& answers) { finished = answers.empty(); });
  EXPECT_TRUE(finished);
}

TEST_F(CallsTest, gathers_do_not_mix) {
  std::vector<std::int64_t> finished;
  for (std::int64_t each = 0; each < 3; ++each) {
    auto gather = calls.begin(2, [&finished, each](std::vector<AnswerBody>&) { finished.push_back(each); });
    gather.ask(ShardId{0}, 0, LogSizesQuery{});
    gather.ask(ShardId{2}, 1, LogSizesQuery{});
  }
  calls.answered(gather_of(4), 0, answer(1));
  calls.answered(gather_of(0), 1, answer(1));
  calls.answered(gather_of(4), 1, answer(1));
  EXPECT_EQ(finished, std::vector<std::int64_t>{2});
  calls.answered(gather_of(2), 1, answer(1));
  calls.answered(gather_of(2), 0, answer(1));
  calls.answered(gather_of(0), 0, answer(1));
  EXPECT_EQ(finished, (std::vector<std::int64_t>{2, 1, 0}));
}

TEST_F(CallsTest, finishing_may_begin_the_next_gather) {
  bool second = false;
  auto first = calls.begin(1, [&](std::vector<AnswerBody>&) {
    auto next = calls.begin(1, [&](std::vector<AnswerBody>&) { second = true; });
    next.ask(ShardId{0}, 0, LogSizesQuery{});
  });
  first.ask(ShardId{0}, 0, LogSizesQuery{});
  calls.answered(gather_of(0), 0, answer(1));
  EXPECT_FALSE(second);
  calls.answered(gather_of(1), 0, answer(1));
  EXPECT_TRUE(second);
}

TEST_F(CallsTest, a_bounded_gather_ends_at_its_limit_with_what_it_has) {
  context.now.monotonic = Instant{} + Duration::from_ms(1'000);
  std::vector<std::int64_t> offsets;
  auto gather = calls.begin(
      2, [&](std::vector<AnswerBody>& answers) { offsets = offsets_of(answers); }, Duration::from_ms(500),
      answer(-7));
  gather.ask(ShardId{0}, 0, LogSizesQuery{});
  gather.ask(ShardId{2}, 1, LogSizesQuery{});
  const Instant limit = Instant{} + Duration::from_ms(1'500);
  EXPECT_EQ(calls.next_deadline(), limit);
  calls.answered(gather_of(0), 1, answer(10));
  context.now.monotonic = Instant{} + Duration::from_ms(1'499);
  calls.tick();
  EXPECT_TRUE(offsets.empty());
  context.now.monotonic = limit;
  calls.tick();
  EXPECT_EQ(offsets, (std::vector<std::int64_t>{-7, 10}));
  EXPECT_EQ(calls.next_deadline(), Instant::max());
  calls.answered(gather_of(0), 0, answer(20));  // too late; it changes nothing
  EXPECT_EQ(offsets, (std::vector<std::int64_t>{-7, 10}));
}

TEST_F(CallsTest, a_bounded_gather_that_is_answered_in_time_leaves_no_deadline) {
  int finished = 0;
  auto gather =
      calls.begin(1, [&](std::vector<AnswerBody>&) { ++finished; }, Duration::from_ms(500), answer(-7));
  gather.ask(ShardId{0}, 0, LogSizesQuery{});
  calls.answered(gather_of(0), 0, answer(1));
  EXPECT_EQ(calls.next_deadline(), Instant::max());
  context.now.monotonic = context.now.monotonic + Duration::from_ms(1'000);
  calls.tick();
  EXPECT_EQ(finished, 1);
}

}  // namespace
}  // namespace tailwater::node
