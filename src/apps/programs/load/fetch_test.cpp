// Goal: a consumer takes every batch once and in order, in a session, and notices what is wrong. Method:
// answers as a broker would write them.
#include "programs/load/fetch.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "programs/load/requests.hpp"
#include "records/builder.hpp"

namespace tailwater::load {
namespace {

constexpr std::int16_t kVersion = 16;
constexpr std::int32_t kSession = 77;

Buffer batch(std::int64_t offset, std::int32_t count = 4) {
  records::BatchBuilder builder({.base_offset = Offset{offset}});
  for (std::int32_t record = 0; record < count; ++record) {
    EXPECT_TRUE(builder.add(0, std::nullopt, as_bytes("value")));
  }
  Buffer bytes;
  EXPECT_TRUE(builder.finish(bytes));
  return bytes;
}

Buffer joined(const std::vector<Buffer>& all) {
  Buffer bytes;
  for (const Buffer& each : all) bytes.insert(bytes.end(), each.begin(), each.end());
  return bytes;
}

class FetchTest : public testing::Test {
 protected:
  FetchTest() {
    plan_.records = 4;
    plan_.partitions = 2;
  }
  Fetch make(Stretch stretch, Journey* journey = nullptr) { return Fetch(plan_, stretch, journey); }

  static wire::FetchRequest asked(Fetch& fetch) {
    const MutableBytes frame = fetch.next();
    wire::Reader reader{Bytes(frame).subspan(4)};
    const auto header = wire::decode_request_header(reader);
    EXPECT_TRUE(header);
    EXPECT_EQ(header->api_version, kVersion);
    wire::FetchRequest request;
    EXPECT_TRUE(decode(reader, kVersion, request));
    return request;
  }
  static Script::Heard answer(Fetch& fetch, const std::vector<std::pair<std::int32_t, Buffer>>& parts,
                              wire::ErrorCode error = wire::ErrorCode::none,
                              std::int32_t session = kSession) {
    wire::FetchResponse response;
    response.session_id = session;
    auto& topic = response.responses.emplace_back();
    for (const auto& [partition, records] : parts) {
      auto& part = topic.partitions.emplace_back();
      part.partition_index = partition;
      part.error_code = error;
      part.records = Bytes(records);
    }
    Buffer bytes;
    wire::Writer writer(bytes);
    wire::encode_response_header(writer, wire::ApiKey::fetch, kVersion, 1);
    encode(writer, kVersion, response);
    return fetch.hear(bytes, 1000);
  }

  Plan plan_;
};

TEST_F(FetchTest, NamesEverythingOnceAndThenWhatMoved) {
  Fetch fetch = make({.topic = {}, .begins = {0, 100}, .ends = {}});
  wire::FetchRequest request = asked(fetch);
  EXPECT_EQ(request.session_id, 0);
  EXPECT_EQ(request.session_epoch, 0);
  ASSERT_EQ(request.topics.at(0).partitions.size(), 2);
  EXPECT_EQ(request.topics[0].partitions[1].fetch_offset, 100);

  EXPECT_EQ(answer(fetch, {{1, joined({batch(100), batch(104)})}}), Script::Heard::done);
  EXPECT_EQ(fetch.records(), 8);
  request = asked(fetch);
  EXPECT_EQ(request.session_id, kSession);
  EXPECT_EQ(request.session_epoch, 1);
  ASSERT_EQ(request.topics.at(0).partitions.size(), 1);
  EXPECT_EQ(request.topics[0].partitions[0].partition, 1);
  EXPECT_EQ(request.topics[0].partitions[0].fetch_offset, 108);

  EXPECT_EQ(answer(fetch, {}), Script::Heard::done);
  EXPECT_EQ(fetch.records(), 0);
  request = asked(fetch);
  EXPECT_EQ(request.session_epoch, 2);
  EXPECT_TRUE(request.topics.empty());
}

TEST_F(FetchTest, WithoutASessionEverythingIsNamedAgain) {
  Fetch fetch = make({.topic = {}, .begins = {0, 0}, .ends = {}});
  asked(fetch);
  EXPECT_EQ(answer(fetch, {{0, batch(0)}}, wire::ErrorCode::none, 0), Script::Heard::done);
  const wire::FetchRequest request = asked(fetch);
  EXPECT_EQ(request.session_epoch, 0);
  EXPECT_EQ(request.topics.at(0).partitions.size(), 2);
}

TEST_F(FetchTest, ABatchThatIsCutOffComesAgain) {
  Fetch fetch = make({.topic = {}, .begins = {0, 0}, .ends = {}});
  asked(fetch);
  Buffer cut = joined({batch(0), batch(4)});
  cut.resize(cut.size() - 1);
  EXPECT_EQ(answer(fetch, {{0, cut}}), Script::Heard::done);
  EXPECT_EQ(fetch.records(), 4);
  EXPECT_EQ(asked(fetch).topics.at(0).partitions.at(0).fetch_offset, 4);
}

TEST_F(FetchTest, GoesRound) {
  Fetch fetch = make({.topic = {}, .begins = {8, 0}, .ends = {12, 4}});
  asked(fetch);
  EXPECT_EQ(answer(fetch, {{0, batch(8)}}), Script::Heard::done);
  EXPECT_EQ(asked(fetch).topics.at(0).partitions.at(0).fetch_offset, 8);
  EXPECT_EQ(fetch.rounds(), 1);
}

TEST_F(FetchTest, NoticesWhatIsWrong) {
  const auto heard = [&](const Buffer& records, wire::ErrorCode error = wire::ErrorCode::none) {
    Fetch fetch = make({.topic = {}, .begins = {0, 0}, .ends = {}});
    asked(fetch);
    return answer(fetch, {{0, records}}, error);
  };
  EXPECT_EQ(heard(batch(0)), Script::Heard::done);
  EXPECT_EQ(heard(batch(4)), Script::Heard::wrong);                      // one is missing
  EXPECT_EQ(heard(joined({batch(0), batch(0)})), Script::Heard::wrong);  // one comes twice
  EXPECT_EQ(heard(batch(0), wire::ErrorCode::offset_out_of_range), Script::Heard::wrong);
  std::vector<Buffer> many;
  for (std::int64_t offset = 0; offset < 16 * 4; offset += 4) many.push_back(batch(offset));
  EXPECT_EQ(heard(joined(many)), Script::Heard::done);
  many.back().back() ^= std::byte{1};
  EXPECT_EQ(heard(joined(many)), Script::Heard::wrong);
}

TEST_F(FetchTest, TimesTheJourneysOfBatches) {
  Journey journey({0, 0}, 4);
  Fetch fetch = make({.topic = {}, .begins = {0, 0}, .ends = {}}, &journey);
  journey.sent(0, 300);
  journey.sent(0, 400);
  asked(fetch);
  EXPECT_EQ(answer(fetch, {{0, joined({batch(0), batch(4)})}}), Script::Heard::done);
  EXPECT_EQ(fetch.journeys_ns(), (std::vector<std::int64_t>{700, 600}));
  asked(fetch);
  EXPECT_EQ(answer(fetch, {{0, batch(8)}}), Script::Heard::wrong);  // nobody sent it
}

}  // namespace
}  // namespace tailwater::load
