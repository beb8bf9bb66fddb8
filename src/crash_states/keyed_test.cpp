// Goal: the judge of compacted logs takes what compaction may do, and notices each thing that it must not.
// Method: a log of few batches by hand; what a reader gets is what was written without some of them, or with
// other ones.
#include "crash_states/keyed.hpp"

#include <gtest/gtest.h>

#include "records/builder.hpp"
#include "records/control.hpp"

namespace tailwater::crash_states {
namespace {

constexpr ProducerId kProducer{7};

struct KeyedLog {
  void write(const std::string& key, std::optional<std::string> value, bool transactional = false) {
    story.append(story.end(), story.end(), batch(story.end(), key, std::move(value), transactional));
  }
  void end(records::ControlType type) {
    Buffer marker;
    records::append_end_marker({.type = type, .producer_id = kProducer, .producer_epoch = ProducerEpoch{0}},
                               WallTime{1'000}, marker);
    records::set_base_offset(marker, story.end());
    story.append(story.end(), story.end(), std::move(marker));
  }
  static Buffer batch(Offset base, const std::string& key, std::optional<std::string> value,
                      bool transactional = false) {
    records::BatchOptions options{.base_offset = base};
    if (transactional) {
      options.producer_id = kProducer;
      options.producer_epoch = ProducerEpoch{0};
      options.transactional = true;
    }
    records::BatchBuilder builder(options);
    const auto bytes = value ? std::optional<Bytes>(as_bytes(*value)) : std::nullopt;
    EXPECT_TRUE(builder.add(1'000, as_bytes(key), bytes));
    Buffer out;
    EXPECT_TRUE(builder.finish(out).has_value());
    return out;
  }
  Buffer without(const std::set<std::int64_t>& missing) const {
    Buffer bytes;
    for (const Change& change : story.changes()) {
      if (change.kind != Change::Kind::append || missing.contains(change.base.value)) continue;
      bytes.insert(bytes.end(), change.bytes->begin(), change.bytes->end());
    }
    return bytes;
  }
  std::string fault(const Buffer& found, const std::set<Offset>& gone = {}) const {
    const LogContent content(story.changes(), story.changes().size());
    std::vector<log::AbortedTransaction> aborted;
    content.producers.aborted_in(content.start, content.end, aborted);
    return compaction_fault({found, content, gone, aborted});
  }

  Story story;
};

TEST(Keyed, older_versions_may_go_and_may_stay) {
  KeyedLog log;
  log.write("a", "1");
  log.write("b", "1");
  log.write("a", "2");
  EXPECT_EQ(log.fault(log.without({})), "");
  EXPECT_EQ(log.fault(log.without({0})), "");
  EXPECT_EQ(offsets_in(log.without({0})), (std::set<Offset>{Offset{1}, Offset{2}}));
}

TEST(Keyed, the_newest_version_must_stay) {
  KeyedLog log;
  log.write("a", "1");
  log.write("a", "2");
  EXPECT_EQ(log.fault(log.without({1})), "a of 1 is lost");
  EXPECT_EQ(log.fault({}), "a of 1 is lost");
  // Unless the log begins behind it.
  log.story.start_at(Offset{2});
  EXPECT_EQ(log.fault({}), "");
}

TEST(Keyed, what_was_deleted_must_not_come_back) {
  KeyedLog log;
  log.write("a", "1");
  log.write("a", std::nullopt);
  EXPECT_EQ(log.fault(log.without({})), "");
  EXPECT_EQ(log.fault(log.without({0})), "");
  EXPECT_EQ(log.fault({}), "");
  EXPECT_EQ(log.fault(log.without({1})), "a, which was deleted at 1, is back with that of 0");
}

TEST(Keyed, what_was_gone_must_not_come_back) {
  KeyedLog log;
  log.write("a", "1");
  log.write("a", "2");
  EXPECT_EQ(log.fault(log.without({0}), {Offset{0}}), "");
  EXPECT_EQ(log.fault(log.without({}), {Offset{0}}), "the record at 0 was gone and is back");
}

TEST(Keyed, only_what_was_written_may_be_there) {
  KeyedLog log;
  log.write("a", "1");
  EXPECT_EQ(log.fault(KeyedLog::batch(Offset{0}, "a", "2")), "nobody wrote the record at 0");
  EXPECT_EQ(log.fault(KeyedLog::batch(Offset{1}, "a", "1")), "nobody wrote the batch at 1");
  Buffer twice = log.without({});
  twice.insert(twice.end(), twice.begin(), twice.end());
  EXPECT_EQ(log.fault(twice), "the batch at 0 is followed by an older one");
  Buffer flipped = log.without({});
  flipped.back() ^= std::byte{1};
  EXPECT_EQ(log.fault(flipped), "nobody wrote the batch at 0");
  Buffer cut = log.without({});
  cut.pop_back();
  EXPECT_EQ(log.fault(cut), "there is something that is no batch");
}

TEST(Keyed, an_aborted_record_is_hidden_or_gone) {
  KeyedLog log;
  log.write("a", "1");
  log.write("a", "2", true);
  log.end(records::ControlType::abort);
  EXPECT_EQ(log.fault(log.without({})), "");
  EXPECT_EQ(log.fault(log.without({1})), "");
  EXPECT_EQ(log.fault(log.without({0})), "a of 0 is lost");
  const LogContent content(log.story.changes(), log.story.changes().size());
  EXPECT_EQ(compaction_fault({log.without({}), content, {}, {}}), "the aborted record at 1 can be seen");
  // A producer whose abort marker is gone is taken to abort for ever.
  log.write("a", "3", true);
  log.end(records::ControlType::commit);
  EXPECT_EQ(log.fault(log.without({})), "");
  EXPECT_EQ(log.fault(log.without({1, 2})), "the committed record at 3 cannot be seen");
}

TEST(Keyed, an_open_transaction_stays) {
  KeyedLog log;
  log.write("a", "1", true);
  EXPECT_EQ(log.fault(log.without({})), "");
  EXPECT_EQ(log.fault({}), "the record at 0 of an open transaction is lost");
}

}  // namespace
}  // namespace tailwater::crash_states
