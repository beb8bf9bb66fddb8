// Goal: what Kafka's Java client, kafka-python and the common codec libraries write is read here, to the
// byte, and what we write equals it where the format leaves no choice. Method: files made once by those
// programs, in tests/golden/records (its README says how).
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "records/compression.hpp"
#include "records/control.hpp"
#include "records/recompress.hpp"
#include "records/record.hpp"
#include "records/testing.hpp"
#include "records/validate.hpp"

namespace tailwater::records {
namespace {

using testing::from_hex;
using testing::text_of;

constexpr Codec kCodecs[] = {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};
constexpr WallTime kNow{1'700'000'010'000};
constexpr std::int64_t kFirstTime = 1'700'000'000'000;

Buffer golden(const std::string& name) {
  std::ifstream file(std::string(TAILWATER_GOLDEN) + "/records/" + name + ".hex");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return from_hex(text.str());
}

BatchView whole(Bytes bytes) {
  const auto batch = parse_batch(bytes);
  CHECK(batch.has_value());
  CHECK(batch->size() == bytes.size());
  return *batch;
}

Buffer opened(const BatchView& batch) {
  Buffer records;
  EXPECT_TRUE(decompress(batch.codec(), batch.records(), 1 << 20, records));
  return records;
}

// Record `index` as both makers write it; the sizes of Java's values and null values differ.
void expect_record(const BatchView& batch, const RecordView& record, std::int32_t index) {
  const std::string number = std::to_string(index);
  EXPECT_EQ(record.offset_delta, index);
  EXPECT_EQ(timestamp_of(batch, record), kFirstTime + 37 * index);
  if (index % 3 == 1) {
    EXPECT_FALSE(record.key);
  } else {
    EXPECT_EQ(as_text(record.key.value_or(Bytes())), "key-" + number);
  }
  EXPECT_TRUE(record.has_sound_headers());
  if (index % 2 == 0) {
    HeaderCursor headers = record.headers();
    const auto header = headers.next();
    ASSERT_TRUE(header);
    EXPECT_EQ(as_text(header->key), "trace");
    EXPECT_EQ(as_text(*header->value), "value-" + number);
  } else {
    EXPECT_EQ(record.header_count, 0);
  }
}

TEST(Golden, JavaBatches) {
  for (const Codec codec : kCodecs) {
    const Buffer bytes = golden("batch-java-" + std::string(to_string(codec)));
    const BatchView batch = whole(bytes);
    EXPECT_TRUE(batch.crc_matches());
    EXPECT_EQ(batch.codec(), codec);
    EXPECT_EQ(batch.base_offset(), Offset{500});
    EXPECT_EQ(batch.leader_epoch(), LeaderEpoch{7});
    EXPECT_EQ(batch.producer_id(), ProducerId{4711});
    EXPECT_EQ(batch.producer_epoch(), ProducerEpoch{3});
    EXPECT_EQ(batch.base_sequence(), 2147483645);
    EXPECT_EQ(batch.last_sequence(), 4) << "over the largest number and on from 0";
    EXPECT_TRUE(batch.is_transactional());
    const Buffer records = opened(batch);
    RecordCursor cursor(records, batch.records_count());
    for (std::int32_t index = 0; index < 8; ++index) {
      const auto record = cursor.next();
      ASSERT_TRUE(record);
      expect_record(batch, *record, index);
      if (index % 5 == 4) {
        EXPECT_FALSE(record->value);
      } else {
        EXPECT_EQ(as_text(*record->value), "value-" + std::to_string(index));
      }
    }
    EXPECT_FALSE(cursor.next());
    EXPECT_FALSE(cursor.fault());
  }
}

TEST(Golden, EveryMakersBatchesAreAccepted) {
  std::vector<std::string> names;
  for (const Codec codec : kCodecs) {
    for (const char* const kind : {"batch-java-", "batch-python-"})
      names.push_back(kind + std::string(to_string(codec)));
    names.push_back("batch-java-" + std::string(to_string(codec)) + "-large");
  }
  for (const std::string& name : names) {
    Buffer bytes = golden(name);
    set_base_offset(bytes, Offset{0});  // some are as a broker stored them
    const auto info = validate_for_produce(bytes, {.decompress = true}, kNow);
    ASSERT_TRUE(info) << name << ": " << info.error().message;
    EXPECT_FALSE(info->wrong_max_timestamp) << name;
    EXPECT_FALSE(info->wrong_offset_deltas) << name;
    EXPECT_EQ(info->first_timestamp, kFirstTime) << name;
    const auto refused = validate_for_produce(bytes, {.compacted = true}, kNow);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().records.at(0).index, 1) << name;
  }
}

TEST(Golden, PythonBatches) {
  for (const Codec codec : kCodecs) {
    const Buffer bytes = golden("batch-python-" + std::string(to_string(codec)));
    const BatchView batch = whole(bytes);
    EXPECT_EQ(batch.codec(), codec);
    const Buffer records = opened(batch);
    RecordCursor cursor(records, batch.records_count());
    for (std::int32_t index = 0; index < 5; ++index) expect_record(batch, *cursor.next(), index);
    EXPECT_FALSE(cursor.next());
    EXPECT_FALSE(cursor.fault());
  }
}

TEST(Golden, JavaLargeBatchesOfAllCodecsHoldTheSame) {
  const Buffer reference = opened(whole(golden("batch-java-gzip-large")));
  for (const Codec codec : {Codec::snappy, Codec::lz4, Codec::zstd}) {
    EXPECT_EQ(opened(whole(golden("batch-java-" + std::string(to_string(codec)) + "-large"))), reference);
  }
}

constexpr std::pair<Codec, const char*> kForeignBlocks[] = {
    {Codec::gzip, "java-gzip"},
    {Codec::snappy, "java-snappy"},
    {Codec::lz4, "java-lz4"},
    {Codec::zstd, "java-zstd"},
    {Codec::gzip, "python-gzip-named"},
    {Codec::gzip, "python-gzip-two-members"},
    {Codec::snappy, "python-snappy-raw"},
    {Codec::snappy, "python-snappy-two-streams"},
    {Codec::lz4, "python-lz4-4mb"},
    {Codec::lz4, "python-lz4-linked-checked"},
    {Codec::lz4, "python-lz4-two-frames"},
    {Codec::zstd, "python-zstd-checked"},
    {Codec::zstd, "python-zstd-two-frames"},
    {Codec::zstd, "python-zstd-unknown-size"},
};

TEST(Golden, ForeignBlocks) {
  const Buffer text = text_of(150'000);
  Codecs codecs;
  for (const auto& [codec, name] : kForeignBlocks) {
    const Buffer block = golden(std::string("block-") + name);
    Buffer out;
    ASSERT_TRUE(codecs.decompress(codec, block, text.size(), out)) << name;
    EXPECT_TRUE(out == text) << name;
    const auto capped = codecs.decompress(codec, block, text.size() - 1, out);
    ASSERT_FALSE(capped) << name;
    EXPECT_EQ(capped.error().code, Errc::too_large) << name;
    for (std::size_t cut = 1; cut < block.size(); cut = cut * 2 + 1) {
      const auto done = codecs.decompress(codec, Bytes(block).first(block.size() - cut), text.size(), out);
      EXPECT_TRUE(!done || out.size() < text.size()) << name << ' ' << cut;
    }
  }
}

TEST(Golden, NoRefusedBlockSpoilsTheNextOne) {
  const Buffer text = text_of(150'000);
  Codecs codecs;
  Buffer out;
  for (const auto& [codec, name] : kForeignBlocks) {
    const Buffer block = golden(std::string("block-") + name);
    const Buffer sound = golden("block-java-" + std::string(to_string(codec)));
    Buffer damaged = block;
    damaged[damaged.size() / 2] ^= std::byte{0x55};
    (void)codecs.decompress(codec, damaged, text.size(), out);
    ASSERT_TRUE(codecs.decompress(codec, sound, text.size(), out)) << name << " damaged";
    for (const std::size_t cap : {std::size_t{0}, std::size_t{100}, text.size() - 1}) {
      EXPECT_FALSE(codecs.decompress(codec, block, cap, out));
      ASSERT_TRUE(codecs.decompress(codec, sound, text.size(), out)) << name << ' ' << cap;
    }
    for (std::size_t cut = 1; cut < block.size(); cut = cut * 2 + 1) {
      (void)codecs.decompress(codec, Bytes(block).first(block.size() - cut), text.size(), out);
      ASSERT_TRUE(codecs.decompress(codec, sound, text.size(), out)) << name << ' ' << cut;
      EXPECT_TRUE(out == text);
    }
  }
}

TEST(Golden, ADamagedChecksumInsideABlockIsSeen) {
  Codecs codecs;
  Buffer out;
  for (const auto& [codec, name] :
       {std::pair{Codec::lz4, "python-lz4-linked-checked"}, std::pair{Codec::zstd, "python-zstd-checked"},
        std::pair{Codec::gzip, "java-gzip"}}) {
    Buffer block = golden(std::string("block-") + name);
    const std::size_t back = codec == Codec::gzip ? 5 : 1;  // gzip ends with the CRC and then the size
    block[block.size() - back] ^= std::byte{1};
    EXPECT_EQ(codecs.decompress(codec, block, 1 << 20, out).error().code, Errc::malformed) << name;
  }
}

TEST(Golden, OurUncompressedBatchIsJavasByteForByte) {
  const Buffer java = golden("batch-java-none");
  const BatchView batch = whole(java);
  BatchBuilder builder({.base_offset = Offset{500},
                        .leader_epoch = LeaderEpoch{7},
                        .producer_id = ProducerId{4711},
                        .producer_epoch = ProducerEpoch{3},
                        .base_sequence = 2147483645,
                        .transactional = true});
  for (std::int32_t index = 0; index < 8; ++index) {
    const std::string key = "key-" + std::to_string(index);
    const std::string value = "value-" + std::to_string(index);
    const HeaderView headers[] = {{as_bytes("trace"), as_bytes(value)}, {as_bytes("trace"), std::nullopt}};
    ASSERT_TRUE(builder.add(kFirstTime + 37 * index,
                            index % 3 == 1 ? std::nullopt : std::optional(as_bytes(key)),
                            index % 5 == 4 ? std::nullopt : std::optional(as_bytes(value)),
                            std::span(headers).first(index % 2 == 0 ? 2 : 0)));
  }
  Buffer ours;
  ASSERT_TRUE(builder.finish(ours));
  EXPECT_EQ(ours, java);
  EXPECT_EQ(whole(ours).header(), batch.header());
}

TEST(Golden, ReencodingGivesJavasRecordsBack) {
  Codecs codecs;
  const Buffer plain = golden("batch-java-none");
  for (const Codec codec : kCodecs) {
    const Buffer source = golden("batch-java-" + std::string(to_string(codec)));
    Buffer out;
    ASSERT_TRUE(recompress(whole(source), {.codec = Codec::none}, codecs, out));
    EXPECT_EQ(out, plain);
  }
}

TEST(Golden, AppendTimeIsStampedAsJavaDoes) {
  const Buffer java = golden("batch-java-append-time");
  const BatchView batch = whole(java);
  EXPECT_TRUE(batch.crc_matches());
  EXPECT_EQ(batch.timestamp_type(), TimestampType::log_append_time);
  RecordCursor cursor = records_of(batch);
  while (const auto record = cursor.next()) EXPECT_EQ(timestamp_of(batch, *record), kFirstTime + 5000);
  EXPECT_EQ(cursor.index(), 2);
}

TEST(Golden, MarkersAreJavasByteForByte) {
  for (const ControlType type : {ControlType::abort, ControlType::commit}) {
    const Buffer java = golden(type == ControlType::commit ? "marker-java-commit" : "marker-java-abort");
    const EndMarker marker{.type = type,
                           .producer_id = ProducerId{42},
                           .producer_epoch = ProducerEpoch{7},
                           .coordinator_epoch = 3};
    EXPECT_EQ(read_end_marker(whole(java)), marker);
    Buffer ours;
    append_end_marker(marker, WallTime{kFirstTime + 123}, ours);
    set_leader_epoch(ours, whole(java).leader_epoch());
    EXPECT_EQ(ours, java);
    set_base_offset(ours, Offset{0});
    EXPECT_EQ(validate_for_produce(ours, {}, kNow).error().message, "clients must not write control records");
  }
}

TEST(Golden, AnEmptiedBatchIsJavasByteForByte) {
  BatchBuilder builder({.base_offset = Offset{100},
                        .leader_epoch = LeaderEpoch{5},
                        .producer_id = ProducerId{42},
                        .producer_epoch = ProducerEpoch{7},
                        .base_sequence = 11,
                        .transactional = true,
                        .last_offset_delta = 9,
                        .max_timestamp = kFirstTime + 123});
  Buffer ours;
  ASSERT_TRUE(builder.finish(ours));
  EXPECT_EQ(ours, golden("batch-java-empty"));
}

}  // namespace
}  // namespace tailwater::records
