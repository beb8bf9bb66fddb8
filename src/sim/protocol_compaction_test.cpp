// Goal: a compacted topic keeps the newest value of every key, over the wire, while it is compacted and after
// a restart; consumers get on over the gaps. Method: keyed batches over a simulated broker, with one and with
// three shards; the rules of compaction have their own tests in core/log.
#include <map>

#include "records/record.hpp"
#include "sim/test_world.hpp"

namespace tailwater::sim {
namespace {

using wire::ErrorCode;

constexpr std::int64_t kTime = 1'700'000'000'000;
constexpr int kKeys = 20;

Buffer keyed(int first, int count) {
  records::BatchBuilder builder;
  for (int number = first; number < first + count; ++number) {
    const std::string key = "key " + std::to_string(number % kKeys);
    std::string value = std::to_string(number);
    value.resize(5'000, '.');
    EXPECT_TRUE(builder.add(kTime + number, as_bytes(key), as_bytes(value)));
  }
  Buffer batch;
  EXPECT_TRUE(builder.finish(batch).has_value());
  return batch;
}

class Compacted : public OverShards {
 protected:
  // How many records a consumer gets from the beginning, and the newest value of each key.
  std::map<std::string, std::string> consume(Line& by, std::size_t& count) {
    std::map<std::string, std::string> newest;
    count = 0;
    for (std::int64_t offset = 0;;) {
      const auto part = fetch(by, "t", 0, offset);
      EXPECT_EQ(part.error_code, ErrorCode::none);
      if (offset >= part.high_watermark || testing::Test::HasFailure()) return newest;
      records::BatchCursor batches(part.records.value_or(Bytes{}));
      const std::int64_t before = offset;
      while (const auto batch = batches.next()) {
        records::RecordCursor cursor = records_of(*batch);
        while (const auto record = cursor.next()) {
          if (records::offset_of(*batch, *record).value < offset) continue;
          newest[std::string(as_text(*record->key))] =
              std::string(as_text(*record->value).substr(0, as_text(*record->value).find('.')));
          ++count;
        }
        offset = batch->last_offset().value + 1;
      }
      EXPECT_GT(offset, before) << "a consumer is stuck";
    }
  }
};

TEST_P(Compacted, topics_shrink_to_the_newest_values) {
  create_topic(
      line, "t", 1,
      {{"cleanup.policy", "compact"}, {"segment.bytes", "1048576"}, {"min.cleanable.dirty.ratio", "0"}});
  constexpr int kRecords = 1'000;
  std::map<std::string, std::string> wanted;
  for (int first = 0; first < kRecords; first += 50) {
    EXPECT_EQ(produce(line, "t", 0, keyed(first, 50)).error_code, ErrorCode::none);
  }
  for (int number = 0; number < kRecords; ++number) {
    wanted["key " + std::to_string(number % kKeys)] = std::to_string(number);
  }
  std::size_t count = 0;
  EXPECT_EQ(consume(line, count), wanted);
  EXPECT_EQ(count, static_cast<std::size_t>(kRecords));
  world.pass(Duration::from_ms(60'000));
  EXPECT_EQ(consume(line, count), wanted);
  EXPECT_LT(count, 300U) << "what is in the active segment, and one record a key";
  const std::size_t left = count;
  EXPECT_EQ(produce(line, "t", 0, keyed(kRecords, 1)).base_offset, kRecords);

  world.stop();
  world.start();
  Line after(world);
  wanted["key 0"] = std::to_string(kRecords);
  EXPECT_EQ(consume(after, count), wanted);
  EXPECT_LE(count, left + 1);
}

INSTANTIATE_TEST_SUITE_P(Shards, Compacted, testing::Values(1U, 3U));

}  // namespace
}  // namespace tailwater::sim
