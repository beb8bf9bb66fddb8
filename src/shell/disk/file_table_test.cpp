// Goal: descriptors are given up in the order of their use, never those that must stay, and renamed files
// keep their paths. Method: slots with descriptors of /dev/null.
#include "shell/disk/file_table.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace tailwater::shell {
namespace {

constexpr DirId kDir{0};

FileSlot& add_open(FileTable& table, std::uint64_t file, const std::string& path, bool exclusive = false) {
  FileSlot& slot = table.add(FileId{file}, kDir, path);
  slot.exclusive = exclusive;
  slot.state = FileSlot::State::open;
  table.opened(slot, Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  return slot;
}

void close_all(FileTable& table) {
  for (std::uint64_t file = 0; file < 100; ++file) {
    FileSlot* slot = table.find(FileId{file});
    if (slot == nullptr) continue;
    table.take(*slot);
    table.erase(*slot);
  }
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.descriptors(), 0U);
}

TEST(FileTable, TheLeastRecentlyUsedGoesFirst) {
  FileTable table;
  for (std::uint64_t file = 1; file <= 3; ++file) add_open(table, file, "t-0/" + std::to_string(file));
  table.touch(*table.find(FileId{1}));
  EXPECT_EQ(table.least_used()->file, FileId{2});
  table.take(*table.find(FileId{2}));
  EXPECT_EQ(table.least_used()->file, FileId{3});
  EXPECT_EQ(table.descriptors(), 2U);
  close_all(table);
}

TEST(FileTable, WhatMustStayStays) {
  FileTable table;
  add_open(table, 1, "ring", true);
  add_open(table, 2, "t-0/a").active = 1;
  add_open(table, 3, "t-0/b").waiting.push_back(7);
  add_open(table, 4, "t-0/c").last_unsynced_write = 9;
  add_open(table, 5, "t-0/d").failure = "cannot write";
  add_open(table, 6, "t-0/e").state = FileSlot::State::closing;
  add_open(table, 7, "t-0/f");
  table.unnamed(kDir, "t-0/f");
  EXPECT_EQ(table.least_used(), nullptr);
  table.synced(kDir, 10);
  ASSERT_NE(table.least_used(), nullptr);
  EXPECT_EQ(table.least_used()->file, FileId{4});
  close_all(table);
}

TEST(FileTable, ASyncOfAllCoversOnlyWhatHadEnded) {
  FileTable table;
  FileSlot& running = add_open(table, 1, "a");
  running.last_unsynced_write = 5;
  running.writes = {5};
  FileSlot& later = add_open(table, 2, "b");
  later.last_unsynced_write = 6;
  later.unsynced_ended = 12;
  FileSlot& elsewhere = table.add(FileId{3}, DirId{1}, "c");
  elsewhere.last_unsynced_write = 7;
  table.synced(kDir, 10);
  EXPECT_EQ(running.last_unsynced_write, 5U);
  EXPECT_EQ(later.last_unsynced_write, 6U);
  EXPECT_EQ(elsewhere.last_unsynced_write, 7U);
  running.writes.clear();
  running.unsynced_ended = 13;
  table.synced(kDir, 14);
  EXPECT_EQ(running.last_unsynced_write, 0U);
  EXPECT_EQ(later.last_unsynced_write, 0U);
  EXPECT_EQ(elsewhere.last_unsynced_write, 7U);
  close_all(table);
}

TEST(FileTable, RenamesMoveWhatIsBelowAndNothingElse) {
  FileTable table;
  FileSlot& inside = add_open(table, 1, "t-1/log");
  FileSlot& similar = add_open(table, 2, "t-10/log");
  FileSlot& other_directory = table.add(FileId{3}, DirId{1}, "t-1/log");
  table.renamed(kDir, "t-1", "t-1.x-delete");
  EXPECT_EQ(inside.path, "t-1.x-delete/log");
  EXPECT_EQ(similar.path, "t-10/log");
  EXPECT_EQ(other_directory.path, "t-1/log");
  EXPECT_TRUE(table.has_open(kDir, "t-1.x-delete"));
  EXPECT_FALSE(table.has_open(kDir, "t-1"));
  EXPECT_FALSE(table.has_open(DirId{1}, "t-1"));
  table.renamed(kDir, "t-1.x-delete/log", "t-1.x-delete/old");
  EXPECT_EQ(inside.path, "t-1.x-delete/old");
  close_all(table);
}

TEST(FileTable, WhatIsRemovedHasNoNameAnyMore) {
  FileTable table;
  FileSlot& removed = add_open(table, 1, "t-1/log");
  FileSlot& stays = add_open(table, 2, "t-1/log2");
  table.unnamed(kDir, "t-1/log");
  EXPECT_TRUE(removed.nameless);
  EXPECT_FALSE(stays.nameless);
  table.renamed(kDir, "t-1", "u-1");
  EXPECT_EQ(removed.path, "t-1/log");
  EXPECT_EQ(stays.path, "u-1/log2");
  close_all(table);
}

}  // namespace
}  // namespace tailwater::shell
