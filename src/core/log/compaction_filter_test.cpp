// Goal: compaction keeps exactly what Kafka's rules keep (the head of compaction_filter.hpp), and changes no
// more of a batch than that asks. Method: one rule per test; batches go through both passes as the job gives
// them.
#include "core/log/compaction_filter.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "records/control.hpp"
#include "records/record.hpp"

namespace tailwater::log {
namespace {

using records::BatchView;
using Kind = CompactionFilter::Cleaned::Kind;

constexpr std::int64_t kNow = 1'000'000;
constexpr std::int64_t kRetention = 5'000;

struct Entry {
  std::optional<std::string> key;
  std::optional<std::string> value;
};

class Log {
 public:
  // Adds a batch at the end and returns its base offset.
  std::int64_t add(const std::vector<Entry>& entries, records::BatchOptions options = {}) {
    options.base_offset = Offset{end_};
    records::BatchBuilder builder(options);
    std::int64_t time = 100 + end_;
    for (const Entry& entry : entries) {
      const auto bytes = [](const std::optional<std::string>& text) {
        return text ? std::optional<Bytes>(as_bytes(*text)) : std::nullopt;
      };
      EXPECT_TRUE(builder.add(time++, bytes(entry.key), bytes(entry.value)));
    }
    Buffer batch;
    EXPECT_TRUE(builder.finish(batch).has_value());
    return take(std::move(batch));
  }
  std::int64_t add_marker(std::int64_t producer, records::ControlType type, std::int16_t epoch = 0) {
    Buffer batch;
    records::append_end_marker({.type = type,
                                .producer_id = ProducerId{producer},
                                .producer_epoch = ProducerEpoch{epoch},
                                .coordinator_epoch = 3},
                               WallTime{100 + end_}, batch);
    records::set_base_offset(batch, Offset{end_});
    return take(std::move(batch));
  }
  std::int64_t take(Buffer batch) {
    const std::int64_t base = end_;
    const BatchView view(batch);
    end_ = view.last_offset().value + 1;
    table.apply(view);
    batches.push_back(std::move(batch));
    return base;
  }

  // One round; what stays becomes the log.
  std::vector<Kind> compact(std::int64_t now = kNow, std::int64_t first_dirty = 0,
                            std::int64_t room = 1 << 20) {
    terms_ = {.first_dirty = Offset{first_dirty},
              .end = Offset{end_},
              .now = WallTime{now},
              .delete_retention_ms = kRetention,
              .record_bytes_max = record_bytes_max,
              .secret = {1, 2},
              .keys_expected = 100,
              .map_bytes_max = static_cast<std::uint64_t>(room)};
    CompactionFilter filter(terms_, &table);
    for (const Buffer& batch : batches) {
      if (BatchView(batch).last_offset().value >= first_dirty && !filter.note(BatchView(batch))) break;
    }
    map_end = filter.map_end().value;
    filter.begin_pass_2();
    std::vector<Kind> kinds;
    std::vector<Buffer> kept;
    Buffer out;
    for (const Buffer& batch : batches) {
      const auto cleaned = filter.clean(BatchView(batch), out);
      kinds.push_back(cleaned.kind);
      if (cleaned.kind == Kind::whole) kept.push_back(batch);
      if (cleaned.kind == Kind::rebuilt) {
        EXPECT_TRUE(BatchView(out).crc_matches());
        EXPECT_EQ(BatchView(out).base_offset(), BatchView(batch).base_offset());
        EXPECT_EQ(BatchView(out).last_offset(), BatchView(batch).last_offset());
        kept.push_back(out);
      }
    }
    dropped = filter.take_dropped_aborts();
    table.forget_aborted(dropped);
    counts = filter.counts();
    batches = std::move(kept);
    return kinds;
  }

  // "offset:key=value" of every record, "offset!" for a marker, "offset-" for an empty batch.
  std::vector<std::string> text() const {
    std::vector<std::string> lines;
    for (const Buffer& bytes : batches) {
      const BatchView batch(bytes);
      const std::string base = std::to_string(batch.base_offset().value);
      if (batch.records_count() == 0) {
        lines.push_back(base + "-");
      } else if (batch.is_control()) {
        lines.push_back(base + "!");
      } else {
        Buffer opened;
        EXPECT_TRUE(decompress(batch.codec(), batch.records(), 1 << 20, opened).has_value());
        records::RecordCursor cursor(opened, batch.records_count());
        while (const auto record = cursor.next()) {
          lines.push_back(std::to_string(records::offset_of(batch, *record).value) + ":" +
                          std::string(record->key ? as_text(*record->key) : "(none)") + "=" +
                          std::string(record->value ? as_text(*record->value) : "(null)"));
        }
        EXPECT_FALSE(cursor.fault());
      }
    }
    return lines;
  }
  BatchView at(std::size_t index) const { return BatchView(batches.at(index)); }

  ProducerTable table;
  std::vector<Buffer> batches;
  std::vector<Offset> dropped;
  CompactionCounts counts;
  std::int64_t map_end = 0;
  std::int64_t record_bytes_max = records::kRecordBytesUnbounded;

 private:
  std::int64_t end_ = 0;
  CompactionTerms terms_;
};

using Lines = std::vector<std::string>;

records::BatchOptions of_producer(std::int64_t id, std::int32_t sequence, bool transactional = false,
                                  std::int16_t epoch = 0) {
  records::BatchOptions options;
  options.producer_id = ProducerId{id};
  options.producer_epoch = ProducerEpoch{epoch};
  options.base_sequence = sequence;
  options.transactional = transactional;
  return options;
}

TEST(CompactionFilter, only_the_newest_record_of_a_key_stays) {
  Log log;
  log.add({{"a", "1"}, {"b", "1"}});
  log.add({{"c", "1"}});
  log.add({{"a", "2"}, {"a", "3"}});
  log.add({{"d", "1"}});
  EXPECT_EQ(log.compact(), (std::vector<Kind>{Kind::rebuilt, Kind::whole, Kind::rebuilt, Kind::whole}));
  EXPECT_EQ(log.text(), (Lines{"1:b=1", "2:c=1", "4:a=3", "5:d=1"}));
  EXPECT_EQ(log.at(0).base_offset(), Offset{0}) << "offsets stay";
  EXPECT_EQ(log.counts.records_read, 6U);
  EXPECT_EQ(log.counts.records_kept, 4U);
}

TEST(CompactionFilter, what_did_not_change_is_kept_byte_for_byte) {
  Log log;
  log.add({{"a", "1"}, {"b", "1"}});
  log.add({{"c", "1"}});
  const auto before = log.batches;
  EXPECT_EQ(log.compact(), (std::vector<Kind>{Kind::whole, Kind::whole}));
  EXPECT_EQ(log.batches, before);
}

TEST(CompactionFilter, a_batch_of_which_nothing_stays_goes_except_at_the_end_of_the_round) {
  Log log;
  log.add({{"a", "1"}});
  log.add({{"a", "2"}});
  log.add({{"a", "3"}});
  EXPECT_EQ(log.compact()[0], Kind::gone);
  EXPECT_EQ(log.text(), (Lines{"2:a=3"}));
  // An empty batch tells where the round ended.
  Log last;
  last.add({{"a", "1"}});
  last.add({{std::nullopt, "no key"}});
  last.compact();
  EXPECT_EQ(last.text(), (Lines{"0:a=1", "1-"}));
}

TEST(CompactionFilter, every_codec_is_opened_and_used_again) {
  for (const auto codec :
       {records::Codec::gzip, records::Codec::snappy, records::Codec::lz4, records::Codec::zstd}) {
    Log log;
    records::BatchOptions options;
    options.codec = codec;
    log.add({{"a", "1"}, {"b", "1"}, {"c", std::string(300, 'x')}}, options);
    log.add({{"a", "2"}}, options);
    log.compact();
    EXPECT_EQ(log.text(), (Lines{"1:b=1", "2:c=" + std::string(300, 'x'), "3:a=2"}));
    EXPECT_EQ(log.at(0).codec(), codec);
  }
}

TEST(CompactionFilter, times_and_headers_survive_a_rebuild) {
  Log log;
  records::BatchBuilder builder;
  const records::HeaderView header{as_bytes("h"), as_bytes("v")};
  EXPECT_TRUE(builder.add(70, as_bytes("a"), as_bytes("1")));
  EXPECT_TRUE(builder.add(90, as_bytes("b"), as_bytes("1"), {&header, 1}));
  EXPECT_TRUE(builder.add(80, as_bytes("c"), as_bytes("1")));
  Buffer batch;
  EXPECT_TRUE(builder.finish(batch).has_value());
  log.take(std::move(batch));
  log.add({{"a", "2"}, {"c", "2"}});
  log.compact();
  records::RecordCursor cursor = records_of(log.at(0));
  const auto record = cursor.next();
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(records::timestamp_of(log.at(0), *record), 90);
  EXPECT_EQ(log.at(0).max_timestamp(), 90);
  ASSERT_EQ(record->header_count, 1);
  EXPECT_EQ(as_text(record->headers().next()->key), "h");
}

TEST(CompactionFilter, the_brokers_time_survives_a_rebuild) {
  Log log;
  records::BatchOptions options;
  options.timestamp_type = records::TimestampType::log_append_time;
  options.max_timestamp = 7'777;
  log.add({{"a", "1"}, {"b", "1"}}, options);
  log.add({{"a", "2"}});
  log.compact();
  EXPECT_EQ(log.at(0).max_timestamp(), 7'777);
  EXPECT_EQ(log.at(0).timestamp_type(), records::TimestampType::log_append_time);
}

TEST(CompactionFilter, a_tombstone_is_stamped_first_and_goes_after_its_time) {
  Log log;
  log.add({{"a", "1"}});
  log.add({{"a", std::nullopt}, {"b", "1"}});
  log.add({{"z", "1"}});
  log.compact(kNow);
  EXPECT_EQ(log.text(), (Lines{"1:a=(null)", "2:b=1", "3:z=1"}));
  EXPECT_EQ(log.at(0).delete_horizon(), kNow + kRetention);
  EXPECT_EQ(log.at(1).delete_horizon(), std::nullopt);
  records::RecordCursor cursor = records_of(log.at(0));
  EXPECT_EQ(records::timestamp_of(log.at(0), *cursor.next()), 101) << "times do not follow the stamp";

  log.compact(kNow + kRetention - 1);
  EXPECT_EQ(log.text().front(), "1:a=(null)") << "its time has not come";
  EXPECT_EQ(log.at(0).delete_horizon(), kNow + kRetention) << "the first stamp counts";
  log.compact(kNow + kRetention);
  EXPECT_EQ(log.text(), (Lines{"2:b=1", "3:z=1"}));
}

TEST(CompactionFilter, keyless_records_go) {
  Log log;
  log.add({{std::nullopt, "1"}, {"a", "1"}});
  log.add({{"b", "1"}});
  log.compact();
  EXPECT_EQ(log.text(), (Lines{"1:a=1", "2:b=1"}));
}

TEST(CompactionFilter, what_lies_below_the_first_dirty_offset_is_replaced_by_what_lies_behind) {
  Log log;
  log.add({{"a", "1"}});
  log.add({{"b", "1"}});
  log.add({{"a", "2"}});
  log.compact(kNow, 2);
  EXPECT_EQ(log.text(), (Lines{"1:b=1", "2:a=2"}));
}

TEST(CompactionFilter, a_full_map_ends_the_range_and_the_next_round_goes_on) {
  Log log;
  constexpr int kKeys = 4'000;
  std::vector<Entry> entries;
  for (int key = 0; key < kKeys; ++key) entries.push_back({std::to_string(key), "1"});
  log.add(entries);
  log.add(entries);
  std::int64_t passed = 0;
  int rounds = 0;
  while (passed < 2 * kKeys) {
    log.compact(kNow, passed, 1);
    ASSERT_GT(log.map_end, passed) << "no progress";
    passed = log.map_end;
    ++rounds;
  }
  EXPECT_GT(rounds, 4);
  EXPECT_EQ(log.text().size(), static_cast<std::size_t>(kKeys));
  EXPECT_EQ(log.text().front(), std::to_string(kKeys) + ":0=1");
}

TEST(CompactionFilter, data_of_aborted_transactions_goes_and_hides_nothing) {
  Log log;
  log.add({{"a", "old"}});
  log.add({{"a", "aborted"}, {"x", "aborted"}}, of_producer(7, 0, true));
  log.add_marker(7, records::ControlType::abort);
  log.add({{"b", "1"}}, of_producer(7, 2, true));
  log.add_marker(7, records::ControlType::commit);
  log.add({{"z", "1"}});
  log.compact();
  EXPECT_EQ(log.text(), (Lines{"0:a=old", "3!", "4:b=1", "5!", "6:z=1"}));
}

TEST(CompactionFilter, a_marker_stays_with_its_data_then_for_its_time) {
  Log log;
  log.add({{"a", "1"}}, of_producer(7, 0, true));
  log.add_marker(7, records::ControlType::commit);
  log.add({{"a", "2"}}, of_producer(8, 0));
  log.add({{"z", "1"}}, of_producer(7, 1));
  log.compact(kNow);
  EXPECT_EQ(log.text(), (Lines{"1!", "2:a=2", "3:z=1"}));
  EXPECT_EQ(log.at(0).delete_horizon(), std::nullopt) << "its data was there when this round began";
  log.compact(kNow + 1);
  EXPECT_EQ(log.at(0).delete_horizon(), kNow + 1 + kRetention);
  EXPECT_TRUE(records::read_end_marker(log.at(0)).has_value());
  log.compact(kNow + kRetention);
  EXPECT_EQ(log.text().front(), "1!");
  log.compact(kNow + 1 + kRetention);
  EXPECT_EQ(log.text(), (Lines{"2:a=2", "3:z=1"}));
}

TEST(CompactionFilter, a_marker_of_an_aborted_transaction_goes_with_what_readers_are_told) {
  Log log;
  log.add({{"a", "1"}}, of_producer(7, 0, true));
  const std::int64_t marker = log.add_marker(7, records::ControlType::abort);
  log.add({{"b", "1"}}, of_producer(7, 1, true));
  log.add_marker(7, records::ControlType::commit);
  log.add({{"z", "1"}});
  log.compact(kNow);
  EXPECT_EQ(log.text().front(), "1!");
  log.compact(kNow + 1);
  EXPECT_TRUE(log.dropped.empty());
  EXPECT_EQ(log.table.aborted().size(), 1U);
  log.compact(kNow + 1 + kRetention);
  EXPECT_EQ(log.dropped, std::vector<Offset>{Offset{marker}});
  EXPECT_TRUE(log.table.aborted().empty());
  EXPECT_EQ(log.text(), (Lines{"2:b=1", "3!", "4:z=1"}));
}

TEST(CompactionFilter, the_last_batch_of_a_producer_stays_empty_to_keep_its_sequence) {
  Log log;
  log.add({{"a", "1"}}, of_producer(7, 0));
  log.add({{"a", "2"}}, of_producer(7, 1));
  log.add({{"a", "3"}});
  log.add({{"z", "1"}});
  log.compact();
  EXPECT_EQ(log.text(), (Lines{"1-", "2:a=3", "3:z=1"}));
  EXPECT_EQ(log.at(0).base_sequence(), 1);
  EXPECT_EQ(log.at(0).producer_id(), ProducerId{7});
  log.compact();
  EXPECT_EQ(log.text().front(), "1-");
  // Forgotten producers need nothing.
  log.table.expire(WallTime{1'000'000}, 1);
  log.compact();
  EXPECT_EQ(log.text(), (Lines{"2:a=3", "3:z=1"}));
}

TEST(CompactionFilter, the_last_marker_of_a_producer_without_batches_stays_empty_to_keep_its_epoch) {
  Log log;
  log.add({{"a", "1"}}, of_producer(7, 0, true));
  log.add_marker(7, records::ControlType::commit, 1);  // a higher epoch clears what was known of batches
  log.add({{"a", "2"}});
  log.add({{"z", "1"}});
  log.compact(kNow);
  log.compact(kNow + 1);
  log.compact(kNow + 1 + kRetention);
  EXPECT_EQ(log.text(), (Lines{"1-", "2:a=2", "3:z=1"}));
  EXPECT_EQ(log.at(0).producer_epoch(), ProducerEpoch{1});
}

// As the offsets that a transaction commits are written: their producer has no sequences.
TEST(CompactionFilter, of_a_producer_without_sequences_only_the_newest_marker_stays) {
  Log log;
  const auto transaction = [&](std::int16_t epoch) {
    log.add({{"a", "1"}}, of_producer(7, -1, true, epoch));
    return log.add_marker(7, records::ControlType::commit, epoch);
  };
  transaction(0);
  std::int64_t newest = 0;
  for (int each = 0; each < 10; ++each) newest = transaction(1);
  log.add({{"a", "2"}});
  const std::int64_t last = log.add({{"z", "1"}});
  for (const std::int64_t now : {kNow, kNow + 1, kNow + 1 + kRetention}) log.compact(now);
  const Lines left{std::to_string(newest) + "-", std::to_string(last - 1) + ":a=2",
                   std::to_string(last) + ":z=1"};
  EXPECT_EQ(log.text(), left);
  EXPECT_EQ(log.at(0).producer_epoch(), ProducerEpoch{1});
  // It also stays when no newer one was written since the last round, until one is.
  log.compact(kNow + 2 + kRetention, last);
  EXPECT_EQ(log.text(), left);
  const std::int64_t newer = log.add_marker(7, records::ControlType::commit, 1);
  log.add({{"y", "1"}});
  log.compact(kNow + 2 + kRetention, last + 1);
  EXPECT_EQ(log.text(),
            (Lines{left[1], left[2], std::to_string(newer) + "!", std::to_string(newer + 1) + ":y=1"}));
}

TEST(CompactionFilter, batches_that_cannot_be_read_stay_as_they_are) {
  Log log;
  log.add({{"a", "1"}, {"b", "1"}});
  log.add({{"a", "2"}, {"b", "2"}});
  log.add({{"a", "3"}});
  log.add({{"z", "1"}});
  log.batches[1].back() ^= std::byte{1};
  const Buffer damaged = log.batches[1];
  records::BatchOptions options;
  options.codec = records::Codec::zstd;
  log.add({{"c", "1"}}, options);
  Buffer& torn = log.batches.back();
  torn[records::kBatchHeaderSize] ^= std::byte{0xff};
  records::update_crc(torn);
  log.add({{"c", "2"}});
  const auto kinds = log.compact();
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::rebuilt, Kind::whole, Kind::whole, Kind::whole, Kind::whole,
                                      Kind::whole}));
  EXPECT_EQ(log.counts.unreadable, 2U);
  EXPECT_EQ(log.batches[1], damaged);
  records::RecordCursor first = records_of(log.at(0));
  EXPECT_EQ(as_text(*first.next()->key), "b") << "a damaged batch replaces nothing";
}

TEST(CompactionFilter, what_a_larger_bound_for_records_let_in_is_read_too) {
  const std::string value(9 << 20, 'v');
  for (const bool is_bounded : {false, true}) {
    Log log;
    log.add({{"a", value}}, {.codec = records::Codec::zstd});
    log.add({{"a", "2"}});
    if (is_bounded) log.record_bytes_max = 10'000'000;
    EXPECT_EQ(log.compact(), (std::vector<Kind>{is_bounded ? Kind::gone : Kind::whole, Kind::whole}));
    EXPECT_EQ(log.counts.unreadable, is_bounded ? 0U : 1U);
  }
}

}  // namespace
}  // namespace tailwater::log
