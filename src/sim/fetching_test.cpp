// Goal: a fetching client asks in a session for what has changed and for no more, and an answer that does not
// belong to it is found out. Method: answers by hand; and a broker that is asked in every version.
#include "sim/fetching.hpp"

#include <gtest/gtest.h>

#include "sim/test_world.hpp"

namespace tailwater::sim {
namespace {

constexpr Uuid kId{3, 4};

class FetchingTest : public testing::Test {
 protected:
  static wire::FetchResponse answer(std::int32_t session, std::vector<std::int32_t> partitions) {
    wire::FetchResponse response;
    response.session_id = session;
    if (partitions.empty()) return response;
    auto& topic = response.responses.emplace_back();
    topic.topic = "t";
    topic.topic_id = kId;
    for (const std::int32_t each : partitions)
      topic.partitions.push_back({.partition_index = each, .log_start_offset = 0});
    return response;
  }
  static std::vector<FetchTarget> targets(std::int64_t first, std::int64_t second) {
    return {{0, first, 100}, {1, second, 100}};
  }

  Ledger ledger;
};

TEST_F(FetchingTest, a_session_is_told_what_has_changed) {
  Fetching fetching(ledger, {"t", kId}, 13, true);
  auto request = fetching.request(targets(0, 0));
  EXPECT_EQ(request.session_epoch, 0);
  EXPECT_EQ(request.topics.at(0).partitions.size(), 2U);
  EXPECT_TRUE(fetching.accept(answer(9, {0, 1})));
  request = fetching.request(targets(0, 5));
  EXPECT_EQ(request.session_id, 9);
  EXPECT_EQ(request.session_epoch, 1);
  ASSERT_EQ(request.topics.at(0).partitions.size(), 1U);
  EXPECT_EQ(request.topics.at(0).partitions.at(0).partition, 1);
  EXPECT_TRUE(fetching.accept(answer(9, {})));
  request = fetching.request({{0, 0, 100}});
  EXPECT_TRUE(request.topics.empty());
  EXPECT_EQ(request.forgotten_topics_data.at(0).partitions, std::vector<std::int32_t>{1});
  fetching.begin_anew();
  request = fetching.request(targets(0, 5));
  EXPECT_EQ(request.session_epoch, 0);
  EXPECT_EQ(request.topics.at(0).partitions.size(), 2U);
  EXPECT_EQ(ledger.failure(), "");
}

TEST_F(FetchingTest, a_partition_that_was_not_asked_for) {
  Fetching fetching(ledger, {"t", kId}, 12, false);
  fetching.request({{0, 0, 100}});
  fetching.accept(answer(0, {1}));
  EXPECT_TRUE(ledger.failure().starts_with("I7")) << ledger.failure();
}

TEST_F(FetchingTest, another_topic) {
  Fetching fetching(ledger, {"t", Uuid{3, 5}}, 13, false);
  fetching.request({{0, 0, 100}});
  fetching.accept(answer(0, {0}));
  EXPECT_TRUE(ledger.failure().starts_with("I7")) << ledger.failure();
}

TEST_F(FetchingTest, another_session) {
  Fetching fetching(ledger, {"t", kId}, 12, true);
  fetching.request({{0, 0, 100}});
  fetching.accept(answer(9, {0}));
  fetching.request({{0, 0, 100}});
  fetching.accept(answer(8, {}));
  EXPECT_EQ(ledger.failure(), "another fetch session answers");
}

TEST_F(FetchingTest, a_start_that_is_not_told) {
  Fetching fetching(ledger, {"t", kId}, 5, false);
  fetching.request({{0, 0, 100}});
  wire::FetchResponse response = answer(0, {0});
  response.responses[0].partitions[0].log_start_offset = -1;
  fetching.accept(response);
  EXPECT_TRUE(ledger.failure().starts_with("I17")) << ledger.failure();
}

TEST_F(FetchingTest, every_version_is_answered) {
  TestWorld world(2);
  Line line(world);
  const Uuid id = create_topic(line, "t", 2);
  produce(line, "t", 1, batch_of(3, 1'700'000'000'000));
  const wire::ApiInfo& api = *wire::find_api(wire::ApiOf<wire::FetchRequest>::key);
  for (std::int16_t version = api.advertised_min; version <= api.advertised_max; ++version) {
    for (const bool in_session : {false, true}) {
      if (in_session && version < 7) continue;
      Fetching fetching(ledger, {"t", id}, version, in_session);
      std::int64_t end = -1;
      for (int round = 0; round < 3; ++round) {
        const auto response = line.ask(version, fetching.request(targets(0, 3)));
        EXPECT_TRUE(fetching.accept(response)) << "version " << version;
        for (const auto& topic : response.responses) {
          for (const auto& part : topic.partitions) {
            if (part.partition_index == 1) end = part.high_watermark;
          }
        }
      }
      EXPECT_EQ(end, 3) << "version " << version;
    }
  }
  EXPECT_EQ(ledger.failure(), "");
}

}  // namespace
}  // namespace tailwater::sim
