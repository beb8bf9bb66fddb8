// Goal: a process that has too many open files is told so, and goes on when it has fewer. Method: the limit goes
// down while a file rests without a descriptor.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <optional>
#include <utility>

#include "shell/disk/disk_test_support.hpp"
#include "shell/disk/log_directory.hpp"

namespace tailwater::shell {
namespace {

TEST(DiskDescriptors, AFileThatCannotBeOpenedAgainSaysThatThereIsNoRoom) {
  TemporaryFolder folder;
  auto directory = LogDirectory::prepare(DirId{0}, folder.path());
  ASSERT_TRUE(directory) << directory.error().message;
  DiskOptions options;
  options.roots = {directory->root()};
  options.engine = DiskEngineKind::thread_pool;
  options.descriptors_max = 1;
  Disk disk(std::move(options));
  Driver driver(disk);
  driver.add_open(1, "first");
  driver.run_well();
  driver.add_open(2, "second");
  driver.run_well();
  ASSERT_EQ(disk.counters().rested, 1U);

  Aligned room(kDiskBlock);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  driver.add_read(1, 0, room.room());
  const Error error = driver.run_badly();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(error.code, Errc::out_of_space) << error.message;

  driver.add_read(1, 0, room.room());
  EXPECT_EQ(driver.run_well(), 0U);
}

// As long as it lives nothing can be opened.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit none{3, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoDescriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST(DiskDescriptors, WhatFindsNoneSaysSoAndMayBeAskedForAgain) {
  TemporaryFolder folder;
  auto directory = LogDirectory::prepare(DirId{0}, folder.path());
  ASSERT_TRUE(directory) << directory.error().message;
  DiskOptions options;
  options.roots = {directory->root()};
  options.roots[0].syncfs = false;
  options.engine = DiskEngineKind::thread_pool;
  options.lock_patience = Duration::from_ms(20);
  Disk disk(std::move(options));
  Driver driver(disk);
  driver.add_path(DiskOpKind::create_folder, "old");
  driver.add_path(DiskOpKind::create_folder, "gone");
  driver.add_path(DiskOpKind::replace, "old/file").content = to_buffer("content");
  driver.run_well();
  const auto ask = [&] {
    driver.add_path(DiskOpKind::create_folder, "new").durable = true;
    driver.add_path(DiskOpKind::rename, "old", "renamed").durable = true;
    driver.add_path(DiskOpKind::remove, "gone").durable = true;
    driver.add_path(DiskOpKind::replace, "replaced").content = to_buffer("content");
    driver.add_path(DiskOpKind::load, "replaced");
    driver.add_path(DiskOpKind::list, "gone2");
    driver.add_open(1, "file").durable = true;
    driver.add(DiskOpKind::sync_all);
  };
  {
    ask();
    const NoDescriptors none;
    driver.run();
  }
  for (std::size_t each = 0; each < 8; ++each) {
    ASSERT_FALSE(driver.done(each).outcome) << each;
    EXPECT_EQ(driver.done(each).outcome.error().code, Errc::out_of_space)
        << driver.done(each).outcome.error().message;
  }
  driver.add_path(DiskOpKind::create_folder, "gone2");
  driver.run_well();
  ask();
  driver.run_well();
  EXPECT_EQ(read_text(folder.path() + "/renamed/file"), "content");
}

}  // namespace
}  // namespace tailwater::shell
