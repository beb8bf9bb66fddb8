// Goal: every message of the schema survives encoding and decoding in every version, and no bytes whatsoever
// break a decoder. Method: random messages from the generated makers; every truncation of an encoded message;
// random damage.
#include <gtest/gtest.h>

#include "wire/api_table.hpp"
#include "wire/example/example.hpp"

namespace tailwater::wire {
namespace {

template <class Action>
void for_every_message_and_version(Action action) {
  for (const Example* example : all_examples()) {
    for (int version = example->min_version; version <= example->max_version; ++version) {
      SCOPED_TRACE(std::string(example->name) + " v" + std::to_string(version));
      action(*example, static_cast<std::int16_t>(version));
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(round_trip, random_messages_are_equal_after_decoding) {
  Prng prng(1);
  for_every_message_and_version([&](const Example& example, std::int16_t version) {
    for (int turn = 0; turn < 20; ++turn) EXPECT_TRUE(example.round_trip(prng, version));
  });
}

TEST(round_trip, encoding_again_gives_the_same_bytes) {
  Prng prng(2);
  for_every_message_and_version([&](const Example& example, std::int16_t version) {
    const Buffer bytes = example.make(prng, version);
    const auto again = example.recode(bytes, version, nullptr);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(*again, bytes);
  });
}

TEST(round_trip, every_truncation_fails_cleanly) {
  Prng prng(3);
  for_every_message_and_version([&](const Example& example, std::int16_t version) {
    const Buffer bytes = example.make(prng, version);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      // A copy of exactly that size, so that a sanitizer sees any read beyond it.
      const Buffer cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      const auto outcome = example.recode(cut, version, nullptr);
      ASSERT_FALSE(outcome.has_value()) << "cut to " << size << " of " << bytes.size();
      EXPECT_EQ(outcome.error().code, Errc::truncated);
    }
  });
}

TEST(round_trip, trailing_bytes_are_tolerated) {
  Prng prng(4);
  for_every_message_and_version([&](const Example& example, std::int16_t version) {
    Buffer bytes = example.make(prng, version);
    const Buffer original = bytes;
    bytes.resize(bytes.size() + 3, std::byte{0xff});
    const auto outcome = example.recode(bytes, version, nullptr);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(*outcome, original);
  });
}

TEST(round_trip, damaged_bytes_decode_to_something_stable_or_fail) {
  Prng prng(5);
  for_every_message_and_version([&](const Example& example, std::int16_t version) {
    const Buffer bytes = example.make(prng, version);
    for (int turn = 0; turn < 30 && !bytes.empty(); ++turn) {
      Buffer damaged = bytes;
      const std::uint64_t hits = 1 + prng.below(3);
      for (std::uint64_t hit = 0; hit < hits; ++hit) {
        const std::uint64_t at = prng.below(damaged.size());
        damaged[at] = static_cast<std::byte>(prng.next());
      }
      EXPECT_TRUE(example.stable(damaged, version));
    }
  });
}

TEST(round_trip, versions_that_a_message_does_not_have_are_refused) {
  const Buffer bytes(64);
  for (const Example* example : all_examples()) {
    for (const int version : {-1, example->min_version - 1, example->max_version + 1, 32767}) {
      const auto outcome = example->recode(bytes, static_cast<std::int16_t>(version), nullptr);
      ASSERT_FALSE(outcome.has_value()) << example->name << " v" << version;
      EXPECT_EQ(outcome.error().code, Errc::unsupported);
    }
  }
}

TEST(round_trip, requests_and_responses_of_every_api_are_in_the_list) {
  std::size_t count = 0;
  for (const Example* example : all_examples()) {
    if (example->api_key < 0) continue;
    ++count;
    const ApiInfo* api = find_api(example->api_key);
    ASSERT_NE(api, nullptr);
    EXPECT_EQ(api->min_version, example->min_version);
    EXPECT_EQ(api->max_version, example->max_version);
  }
  EXPECT_EQ(count, 2 * api_table().size());
  EXPECT_EQ(api_table().size(), 83U);
}

}  // namespace
}  // namespace tailwater::wire
