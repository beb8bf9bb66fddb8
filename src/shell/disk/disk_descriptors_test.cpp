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

}  // namespace
}  // namespace tailwater::shell
