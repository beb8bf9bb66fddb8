// Goal: every record of a batch is applied, passed over or counted as damaged, and a batch that is not whole
// is refused. Method: batches of records whose keys say what they are.
#include "records/replay.hpp"

#include <gtest/gtest.h>

#include <string>

#include "records/builder.hpp"
#include "records/testing.hpp"

namespace tailwater::records {
namespace {

struct Replayed {
  std::uint32_t applied = 0;
  std::uint32_t foreign = 0;
  std::uint32_t damaged = 0;
  friend bool operator==(const Replayed&, const Replayed&) = default;
};

Result<std::optional<std::string>> decode(Bytes key, std::optional<Bytes> value) {
  if (as_text(key) == "damaged") return fail(Errc::malformed);
  if (as_text(key) == "foreign") return std::optional<std::string>();
  return std::optional(std::string(as_text(key)) + (value ? "=" + std::string(as_text(*value)) : " gone"));
}

Buffer batch_in(Codec codec) {
  BatchBuilder builder({.codec = codec});
  EXPECT_TRUE(builder.add(0, as_bytes("a"), as_bytes("1")));
  EXPECT_TRUE(builder.add(0, as_bytes("damaged"), as_bytes("2")));
  EXPECT_TRUE(builder.add(0, as_bytes("foreign"), as_bytes("3")));
  EXPECT_TRUE(builder.add(0, std::nullopt, as_bytes("4")));
  EXPECT_TRUE(builder.add(0, as_bytes("b"), std::nullopt));
  Buffer batch;
  EXPECT_TRUE(builder.finish(batch).has_value());
  return batch;
}

TEST(replay, each_record_has_one_fate) {
  for (const Codec codec : {Codec::none, Codec::lz4}) {
    const Buffer bytes = batch_in(codec);
    const auto batch = whole_batch(bytes);
    ASSERT_TRUE(batch.has_value());
    Codecs codecs;
    for (Codecs* given : {&codecs, static_cast<Codecs*>(nullptr)}) {
      std::string applied;
      const auto replayed =
          replay<Replayed>(*batch, given, decode, [&](std::string& change) { applied += change + ";"; });
      ASSERT_TRUE(replayed.has_value());
      EXPECT_EQ(*replayed, (Replayed{.applied = 2, .foreign = 1, .damaged = 2}));
      EXPECT_EQ(applied, "a=1;b gone;");
    }
  }
}

TEST(replay, refuses_what_is_no_whole_batch) {
  Buffer bytes = batch_in(Codec::none);
  EXPECT_FALSE(whole_batch(Bytes(bytes).first(bytes.size() - 1)).has_value());
  bytes.back() ^= std::byte{1};
  EXPECT_EQ(whole_batch(bytes).error().code, Errc::corrupt);
}

TEST(replay, a_fault_among_the_records_counts_once) {
  Buffer bytes = batch_in(Codec::none);
  // The length of the first record; the checksum is not asked again.
  bytes[kBatchHeaderSize] = std::byte{0x7F};
  std::uint32_t applied = 0;
  const auto replayed = replay<Replayed>(BatchView(bytes), nullptr, decode, [&](std::string&) { ++applied; });
  ASSERT_TRUE(replayed.has_value());
  EXPECT_EQ(replayed->damaged, 1U);
  EXPECT_EQ(replayed->applied, applied);
}

}  // namespace
}  // namespace tailwater::records
