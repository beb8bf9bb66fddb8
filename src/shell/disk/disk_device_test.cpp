// Goal: what the contract says of durability, space and dying processes holds at the device, not only in the
// API. Method: an ext4 on a loop device of the test's own, whose flushes, transfers in flight and journal
// commits the kernel counts. Needs root; skips otherwise.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <liburing.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <fstream>
#include <sstream>

#include "shell/disk/disk_test_support.hpp"
#include "shell/disk/uring_engine.hpp"
#include "support/loop_mount.hpp"

extern char** environ;

namespace tailwater::shell {
namespace {

using testing::HasSubstr;

struct Way {
  DiskEngineKind engine;
  DiskMode mode;
};

constexpr Way kWays[] = {
    {DiskEngineKind::mixed, DiskMode::direct_dsync},
    {DiskEngineKind::mixed, DiskMode::direct_fdatasync},
    {DiskEngineKind::uring, DiskMode::direct_dsync},
    {DiskEngineKind::uring, DiskMode::direct_fdatasync},
    {DiskEngineKind::uring, DiskMode::buffered_fdatasync},
    {DiskEngineKind::thread_pool, DiskMode::direct_dsync},
    {DiskEngineKind::thread_pool, DiskMode::direct_fdatasync},
    {DiskEngineKind::thread_pool, DiskMode::buffered_fdatasync},
};

// Calls `test` once per way with a fresh disk on the mount.
void for_each_way(const LoopMount& mount,
                  const std::function<void(Driver&, const std::string& folder)>& test) {
  int number = 0;
  for (const Way& way : kWays) {
    if (way.engine != DiskEngineKind::thread_pool && !uring_unavailable().empty()) continue;
    SCOPED_TRACE(std::string(to_string(way.engine)) + ", " + std::string(to_string(way.mode)));
    const std::string folder = mount.path() + "/" + std::to_string(number++);
    auto directory = LogDirectory::prepare(DirId{0}, folder);
    ASSERT_TRUE(directory) << directory.error().message;
    DiskOptions options;
    options.roots = {directory->root()};
    options.roots[0].mode = way.mode;
    options.engine = way.engine;
    Disk disk(options);
    Driver driver(disk);
    test(driver, folder);
    if (testing::Test::HasFatalFailure()) return;
    driver.add_path(DiskOpKind::list, "");
    driver.run();
    for (const std::string& name : driver.done(0).names) driver.add_path(DiskOpKind::remove, name);
    driver.add(DiskOpKind::sync_all);
    driver.run();
  }
}

TEST(DiskDevice, TheProbeFindsDirectWrites) {
  const LoopMount mount(32);
  NEEDS(mount);
  const auto directory = LogDirectory::prepare(DirId{0}, mount.path() + "/data");
  ASSERT_TRUE(directory) << directory.error().message;
  EXPECT_EQ(directory->root().mode, DiskMode::direct_dsync);
  EXPECT_EQ(directory->traits().file_system, "ext4");
  EXPECT_TRUE(directory->traits().fallocate);
  EXPECT_TRUE(directory->traits().warnings.empty());
}

TEST(DiskDevice, DurableReachesTheDeviceAndOthersDoNot) {
  const LoopMount mount(64);
  NEEDS(mount);
  for_each_way(mount, [&](Driver& driver, const std::string&) {
    const Aligned block(16 * kDiskBlock, 'f');
    // Blocks written before, so that nothing but the write itself asks for a flush.
    driver.add_open(1, "ring");
    driver.add_write(1, 0, block.bytes());
    driver.add_file(DiskOpKind::sync, 1);
    driver.add(DiskOpKind::sync_all);
    driver.run_well();
    for (int round = 0; round < 5; ++round) {
      std::uint64_t before = mount.device_flushes();
      driver.add_write(1, 0, block.bytes());
      driver.run_well();
      EXPECT_EQ(mount.device_flushes(), before) << "a plain write";
      driver.add_file(DiskOpKind::sync, 1);
      driver.run_well();
      EXPECT_GT(mount.device_flushes(), before) << "its sync";
      before = mount.device_flushes();
      driver.add_write(1, 0, block.bytes()).durable = true;
      driver.run_well();
      EXPECT_GT(mount.device_flushes(), before) << "a durable write";
      before = mount.device_flushes();
      driver.add_write(1, 0, block.bytes());
      driver.run_well();
      driver.add(DiskOpKind::sync_all);
      driver.run_well();
      EXPECT_GT(mount.device_flushes(), before) << "sync_all";
    }
  });
}

TEST(DiskDevice, DurableNamesReachTheDevice) {
  const LoopMount mount(64);
  NEEDS(mount);
  for_each_way(mount, [&](Driver& driver, const std::string&) {
    const auto commits_of = [&](const std::function<void()>& add) {
      const std::uint64_t before = mount.journal_commits();
      add();
      driver.run_well();
      return mount.journal_commits() - before;
    };
    EXPECT_GT(commits_of([&] { driver.add_path(DiskOpKind::create_folder, "t").durable = true; }), 0U);
    EXPECT_GT(commits_of([&] { driver.add_open(1, "t/a").durable = true; }), 0U);
    EXPECT_GT(commits_of([&] { driver.add_path(DiskOpKind::rename, "t/a", "t/b").durable = true; }), 0U);
    EXPECT_GT(commits_of([&] { driver.add_path(DiskOpKind::replace, "t/c").content = to_buffer("c"); }), 0U);
    EXPECT_GT(commits_of([&] {
                DiskOp& cut = driver.add_file(DiskOpKind::truncate, 1);
                cut.size = 100;
                cut.durable = true;
              }),
              0U);
    EXPECT_GT(commits_of([&] { driver.add_path(DiskOpKind::remove, "t").durable = true; }), 0U);
  });
}

// The bytes of a zeroed range are metadata: a sync of the file's data has to bring them along.
TEST(DiskDevice, ZerosReachTheDeviceWithTheNextSync) {
  const LoopMount mount(64);
  NEEDS(mount);
  for_each_way(mount, [&](Driver& driver, const std::string&) {
    const Aligned megabyte(1 << 20, 'o');
    driver.add_open(1, "file").exclusive = true;
    driver.add_write(1, 0, megabyte.bytes());
    driver.add_file(DiskOpKind::sync, 1);
    driver.add(DiskOpKind::sync_all);
    driver.run_well();
    driver.add_file(DiskOpKind::zero, 1).size = megabyte.size();
    driver.run_well();
    const std::uint64_t before = mount.journal_commits();
    driver.add_file(DiskOpKind::sync, 1);
    driver.run_well();
    EXPECT_GT(mount.journal_commits(), before);
  });
}

TEST(DiskDevice, JournalWritesIntoWrittenBlocksTouchNoMetadata) {
  const LoopMount mount(64);
  NEEDS(mount);
  for_each_way(mount, [&](Driver& driver, const std::string&) {
    const Aligned megabyte(1 << 20, 'j');
    driver.add_open(1, "ring").exclusive = true;
    driver.run_well();
    for (std::uint64_t i = 0; i < 4; ++i) driver.add_write(1, i << 20, megabyte.bytes());
    driver.add_file(DiskOpKind::sync, 1);
    driver.add(DiskOpKind::sync_all);
    driver.run_well();
    std::uint64_t before = mount.journal_commits();
    // Long enough for several of the file system's own times stamps to pass; they must not count either.
    for (std::uint64_t i = 0; i < 200; ++i) {
      DiskOp& write = driver.add_write(1, (i % 64) << 16, megabyte.bytes().subspan(0, 1 << 16));
      write.durable = true;
      write.urgent = true;
      driver.run_well();
    }
    EXPECT_LE(mount.journal_commits() - before, 1U) << "at most the lazy times, once";
    // And the counter counts: writes that let the file grow do touch it.
    before = mount.journal_commits();
    for (std::uint64_t i = 64; i < 84; ++i) {
      driver.add_write(1, i << 16, megabyte.bytes().subspan(0, 1 << 16)).durable = true;
      driver.run_well();
    }
    EXPECT_GE(mount.journal_commits() - before, 20U);
  });
}

TEST(DiskDevice, OutOfSpaceIsSaidWhereNothingIsLost) {
  const LoopMount mount(24);
  NEEDS(mount);
  for_each_way(mount, [&](Driver& driver, const std::string& folder) {
    driver.add_path(DiskOpKind::create_folder, "m");
    driver.add_path(DiskOpKind::replace, "m/manifest").content = to_buffer("old");
    driver.add_open(1, "large");
    driver.run_well();
    driver.add_file(DiskOpKind::preallocate, 1).size = 1 << 30;
    EXPECT_EQ(driver.run_badly().code, Errc::out_of_space);
    driver.add_path(DiskOpKind::replace, "m/manifest").content = Buffer(64 << 20);
    const Error error = driver.run_badly();
    EXPECT_EQ(error.code, Errc::out_of_space);
    EXPECT_EQ(error.message, "cannot replace " + folder + "/m/manifest: No space left on device");
    EXPECT_EQ(read_text(folder + "/m/manifest"), "old");
    // Hold back, make room, resume: it works again.
    driver.add_path(DiskOpKind::replace, "m/manifest").content = to_buffer("new");
    driver.add_file(DiskOpKind::preallocate, 1).size = 1 << 20;
    driver.run_well();

    // A write that was promised its blocks and finds none is a broken disk.
    const Aligned megabyte(1 << 20, 'x');
    for (std::uint64_t i = 0; i < 40; ++i) driver.add_write(1, i << 20, megabyte.bytes()).durable = true;
    driver.run();
    std::size_t failed = 0;
    for (std::size_t i = 0; i < 40; ++i) {
      if (driver.done(i).outcome) continue;
      ++failed;
      EXPECT_EQ(driver.done(i).outcome.error().code, Errc::storage);
    }
    EXPECT_GT(failed, 0U);
    driver.add_file(DiskOpKind::close, 1);
    driver.run();
  });
}

// What was asked for and given is there, whoever fills the disk meanwhile.
TEST(DiskDevice, WhereSpaceCannotBeReservedItIsWritten) {
  const LoopMount mount(24, kCannotReserve);
  NEEDS(mount);
  const auto size_of = [](const std::string& path) { return std::filesystem::file_size(path); };
  for_each_way(mount, [&](Driver& driver, const std::string& folder) {
    const Aligned block(kDiskBlock, 'x');
    driver.add_open(1, "cut");
    driver.run_well();
    driver.add_file(DiskOpKind::preallocate, 1).size = kDiskBlock;
    driver.run_well();
    driver.add_write(1, 0, block.bytes());
    driver.run_well();
    driver.add_file(DiskOpKind::truncate, 1).size = 1'234;
    driver.run_well();
    driver.add_file(DiskOpKind::preallocate, 1).size = 64 << 10;
    driver.run_well();
    EXPECT_EQ(size_of(folder + "/cut"), 64u << 10);
    const std::string text = read_text(folder + "/cut");
    EXPECT_EQ(text, std::string(1'234, 'x') + std::string((64 << 10) - 1'234, '\0'));

    driver.add_file(DiskOpKind::preallocate, 1).size = 1 << 30;
    EXPECT_EQ(driver.run_badly().code, Errc::out_of_space);
    EXPECT_EQ(size_of(folder + "/cut"), 64u << 10) << "what was got of it is given back";

    driver.add_open(2, "large");
    driver.run_well();
    std::uint64_t given = 0;
    for (bool more = true; more; given += more ? 1 : 0) {
      DiskOp& op = driver.add_file(DiskOpKind::preallocate, 2);
      op.at = given << 20;
      op.size = 1 << 20;
      driver.run();
      more = driver.done(0).outcome.has_value();
      if (!more) EXPECT_EQ(driver.done(0).outcome.error().code, Errc::out_of_space);
    }
    EXPECT_GT(given, 4u);
    const Aligned megabyte(1 << 20, 'x');
    for (std::uint64_t each = 0; each < given; ++each)
      driver.add_write(2, each << 20, megabyte.bytes()).durable = true;
    driver.run_well();
    for (const std::uint64_t file : {1, 2}) driver.add_file(DiskOpKind::close, file);
    driver.run_well();
  });
}

TEST(DiskDevice, FilesWithoutInodesAreOutOfSpaceToo) {
  const LoopMount mount(24, "-N 64");
  NEEDS(mount);
  auto directory = LogDirectory::prepare(DirId{0}, mount.path());
  ASSERT_TRUE(directory) << directory.error().message;
  DiskOptions options;
  options.roots = {directory->root()};
  options.engine = choose_engine().kind;
  Disk disk(options);
  Driver driver(disk);
  for (std::uint64_t i = 0; i < 100; ++i) driver.add_open(i, std::to_string(i));
  driver.run();
  // Which of them find no inode is the disk's own business: opens of different files run in any order.
  std::size_t opened = 0;
  for (std::size_t i = 0; i < 100; ++i) {
    if (driver.done(i).outcome) {
      ++opened;
    } else {
      EXPECT_EQ(driver.done(i).outcome.error().code, Errc::out_of_space);
    }
  }
  EXPECT_GT(opened, 0U);
  EXPECT_LT(opened, 100U);
  driver.add_path(DiskOpKind::create_folder, "folder");
  EXPECT_EQ(driver.run_badly().code, Errc::out_of_space);
}

TEST(DiskDevice, AReadOnlyFileSystemIsAStorageError) {
  const LoopMount mount(32);
  NEEDS(mount);
  {
    auto directory = LogDirectory::prepare(DirId{0}, mount.path() + "/data");
    ASSERT_TRUE(directory) << directory.error().message;
  }
  ASSERT_TRUE(mount.remount_read_only());
  const auto directory = LogDirectory::prepare(DirId{0}, mount.path() + "/data");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, Errc::storage);
  EXPECT_THAT(directory.error().message, HasSubstr("Read-only file system"));
}

// A broker of old: locks the ring on the descriptor that writes, and keeps `depth` large writes in flight.
[[noreturn]] void write_until_killed(const std::string& path, int ready) {
  constexpr std::size_t size = 1 << 20;
  constexpr unsigned depth = 16;
  const int file = ::open(path.c_str(), O_RDWR | O_DIRECT | O_DSYNC);
  io_uring ring{};
  if (file < 0 || ::flock(file, LOCK_EX | LOCK_NB) != 0 || io_uring_queue_init(depth, &ring, 0) != 0)
    ::_exit(1);
  const Aligned block(size, 'k');
  std::uint64_t next = 0;
  const auto write_one = [&] {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_write(sqe, file, block.bytes().data(), size, (next++ % 64) * size);
  };
  for (unsigned i = 0; i < depth; ++i) write_one();
  for (std::uint64_t done = 0;; ++done) {
    io_uring_cqe* cqe = nullptr;
    if (io_uring_submit_and_wait(&ring, 1) < 0 || io_uring_peek_cqe(&ring, &cqe) != 0 || cqe->res < 0)
      ::_exit(2);
    io_uring_cqe_seen(&ring, cqe);
    write_one();
    const char go = 'g';
    if (done == depth && ::write(ready, &go, 1) != 1) ::_exit(3);
  }
}

TEST(DiskDevice, TheLockOfAKilledWriterIsFreeOnlyWhenItsWritesHaveLanded) {
  const LoopMount mount(96);
  NEEDS(mount);
  if (!uring_unavailable().empty()) GTEST_SKIP() << uring_unavailable();
  auto directory = LogDirectory::prepare(DirId{0}, mount.path() + "/data");
  ASSERT_TRUE(directory) << directory.error().message;
  DiskOptions options;
  options.roots = {directory->root()};
  options.lock_patience = Duration::from_ms(30'000);
  Disk disk(options);
  Driver driver(disk);
  const Aligned block(1 << 20, 'o');
  driver.add_open(1, "ring");
  for (std::uint64_t i = 0; i < 64; ++i) driver.add_write(1, i << 20, block.bytes());
  driver.add_file(DiskOpKind::sync, 1);
  driver.add_file(DiskOpKind::close, 1);
  driver.run_well();

  std::uint64_t waits = 0;
  for (int round = 0; round < 8; ++round) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(directory->path() + "/ring", ready[1]);
    char go = 0;
    ::close(ready[1]);
    ASSERT_EQ(::read(ready[0], &go, 1), 1);
    ::close(ready[0]);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    driver.add_open(1, "ring").exclusive = true;
    driver.run_well();
    EXPECT_EQ(mount.device_in_flight(), 0U) << "a write of the dead process is still on its way";
    driver.add_file(DiskOpKind::close, 1);
    driver.run_well();
    ::waitpid(child, nullptr, 0);
    waits = disk.counters().lock_waits;
  }
  EXPECT_GT(waits, 0U) << "no round had writes in flight at the kill: the test shows nothing";
}

}  // namespace
}  // namespace tailwater::shell
