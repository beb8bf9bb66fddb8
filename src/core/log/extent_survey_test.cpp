// Goal: the survey finds the first frame with a direct run, how far everything was durable, and for each run
// what ended its log next. Method: frames made by hand.
#include "core/log/extent_survey.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace tailwater::log {
namespace {

using journal::EntryKind;

struct Entry {
  std::uint64_t log = 0;
  EntryKind kind{};
};

class Frames {
 public:
  bool note(Lsn lsn, Lsn settled, std::initializer_list<Entry> entries) {
    Buffer payload(entries.size() * journal::kEntryHeaderSize);
    std::byte* at = payload.data();
    for (const Entry& entry : entries) {
      journal::encode({.log = LogId{entry.log}, .kind = entry.kind}, at);
      at += journal::kEntryHeaderSize;
    }
    const auto count = static_cast<std::uint32_t>(entries.size());
    return survey.note({.lsn = lsn, .settled = settled, .entry_count = count, .prev_header_crc = 77},
                       journal::EntryCursor(payload, count));
  }
  ExtentSurvey survey;
};

TEST(ExtentSurveyTest, TheSecondLookBeginsAtTheFirstFrameWithARun) {
  Frames frames;
  EXPECT_FALSE(frames.note(Lsn{0}, Lsn{0}, {{1, EntryKind::batches}}));
  EXPECT_FALSE(frames.survey.begun());
  EXPECT_TRUE(frames.note(Lsn{4096}, Lsn{0}, {{1, EntryKind::batches}, {2, EntryKind::extent}}));
  EXPECT_TRUE(frames.note(Lsn{8192}, Lsn{4096}, {{1, EntryKind::batches}}));
  EXPECT_TRUE(frames.survey.begun());
  EXPECT_EQ(frames.survey.begin(), Lsn{4096});
  EXPECT_EQ(frames.survey.begin_prev_crc(), 77u);
  EXPECT_EQ(frames.survey.settled(), Lsn{4096});
}

TEST(ExtentSurveyTest, WhatEndsALogEndsWhatCameBeforeIt) {
  Frames frames;
  frames.note(Lsn{0}, Lsn{0}, {{1, EntryKind::restart}});
  frames.note(Lsn{4096}, Lsn{0}, {{1, EntryKind::extent}, {2, EntryKind::extent}, {1, EntryKind::restart}});
  frames.note(Lsn{8192}, Lsn{0}, {{1, EntryKind::extent}, {2, EntryKind::truncate}, {1, EntryKind::remove}});
  EXPECT_EQ(frames.survey.end_of(LogId{1}, 1), 3u);
  EXPECT_EQ(frames.survey.end_of(LogId{1}, 4), 6u);
  EXPECT_EQ(frames.survey.end_of(LogId{1}, 6), std::nullopt);
  EXPECT_EQ(frames.survey.end_of(LogId{2}, 2), std::nullopt);
}

}  // namespace
}  // namespace tailwater::log
