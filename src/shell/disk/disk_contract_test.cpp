// Goal: every way of doing disk work (ring or threads, direct or buffered) keeps the contract of
// base/disk.hpp. Method: one suite, run once per way, on a temporary folder; batches are submitted whole so
// that the disk's own order of operations is what is tested, not the test's waiting.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <iterator>

#include "base/prng.hpp"
#include "shell/disk/disk_test_support.hpp"
#include "shell/disk/uring_engine.hpp"

namespace tailwater::shell {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Way {
  DiskEngineKind engine;
  DiskMode mode;
};

std::string way_name(const testing::TestParamInfo<Way>& info) {
  std::string name = info.param.engine == DiskEngineKind::uring   ? "ring_"
                     : info.param.engine == DiskEngineKind::mixed ? "mixed_"
                                                                  : "threads_";
  switch (info.param.mode) {
    case DiskMode::direct_dsync:
      return name + "direct_dsync";
    case DiskMode::direct_fdatasync:
      return name + "direct_fdatasync";
    case DiskMode::buffered_fdatasync:
      return name + "buffered_fdatasync";
  }
  return name;
}

class DiskContract : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (GetParam().engine != DiskEngineKind::thread_pool) {
      if (const std::string why = uring_unavailable(); !why.empty()) GTEST_SKIP() << why;
    }
    start({});
    if (IsSkipped() || HasFatalFailure()) return;
    if (GetParam().mode != DiskMode::buffered_fdatasync && probed_ == DiskMode::buffered_fdatasync) {
      GTEST_SKIP() << "no direct transfers on the file system of temporary files";
    }
  }

  void start(DiskOptions options) {
    driver_.reset();
    disk_.reset();
    if (!directory_) {
      auto probed = LogDirectory::prepare(DirId{0}, folder_.path());
      ASSERT_TRUE(probed) << probed.error().message;
      probed_ = probed->root().mode;
      directory_.emplace(std::move(*probed));
    }
    DiskRoot root = directory_->root();
    root.mode = GetParam().mode;
    options.roots = {root};
    options.engine = GetParam().engine;
    disk_ = std::make_unique<Disk>(std::move(options));
    driver_ = std::make_unique<Driver>(*disk_);
  }

  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  Driver& d() { return *driver_; }

  TemporaryFolder folder_;
  std::optional<LogDirectory> directory_;
  DiskMode probed_{};
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<Driver> driver_;
};

// --- open, close

TEST_P(DiskContract, OpenWithoutCreateNeedsTheFile) {
  d().add_open(1, "absent").create = false;
  const Error error = d().run_badly();
  EXPECT_EQ(error.code, Errc::not_found);
  EXPECT_THAT(error.message, HasSubstr(path("absent")));
  EXPECT_THAT(error.message, HasSubstr("No such file"));
}

TEST_P(DiskContract, OpenTellsTheSize) {
  const Aligned block(kDiskBlock, 'x');
  d().add_open(1, "file");
  d().add_write(1, kDiskBlock, block.bytes());
  d().run_well();
  d().add_open(2, "file");
  EXPECT_EQ(d().run_well(), 2 * kDiskBlock);
}

TEST_P(DiskContract, OpenOfAFolderOrInAMissingFolderFails) {
  d().add_path(DiskOpKind::create_folder, "folder");
  d().add_open(1, "folder");
  d().add_open(2, "missing/file");
  d().run();
  EXPECT_EQ(d().done(1).outcome.error().code, Errc::storage);
  EXPECT_EQ(d().done(2).outcome.error().code, Errc::not_found);
}

TEST_P(DiskContract, OperationsWaitForTheirOpenAndFailWithIt) {
  const Aligned block(kDiskBlock, 'x');
  d().add_open(1, "absent").create = false;
  d().add_write(1, 0, block.bytes());
  d().add_file(DiskOpKind::sync, 1);
  d().add_file(DiskOpKind::close, 1);
  d().add_open(1, "present");
  d().add_write(1, 0, block.bytes());
  d().run();
  EXPECT_FALSE(d().done(1).outcome);
  EXPECT_FALSE(d().done(2).outcome);
  EXPECT_TRUE(d().done(3).outcome);
  EXPECT_TRUE(d().done(4).outcome);
  EXPECT_EQ(d().done(5).outcome, kDiskBlock);
}

TEST_P(DiskContract, AFileThatIsNotOpenAnswersWithAnError) {
  const Aligned block(kDiskBlock, 'x');
  d().add_write(77, 0, block.bytes());
  EXPECT_EQ(d().run_badly().code, Errc::storage);
}

TEST_P(DiskContract, PathsThatLeaveTheDirectoryAreRefused) {
  for (const char* bad : {"../outside", "a/../../outside", "/etc/hostname", "a//b", "", ".", "a/."}) {
    d().add_path(DiskOpKind::load, bad);
    EXPECT_EQ(d().run_badly().code, Errc::storage) << bad;
  }
  d().add_path(DiskOpKind::rename, "a", "../b");
  EXPECT_EQ(d().run_badly().code, Errc::storage);
}

TEST_P(DiskContract, AnIdIsUsedAnewAfterClose) {
  const Aligned first(kDiskBlock, '1');
  const Aligned second(kDiskBlock, '2');
  d().add_open(1, "one");
  d().add_write(1, 0, first.bytes());
  d().add_file(DiskOpKind::close, 1);
  d().add_open(1, "two");
  d().add_write(1, 0, second.bytes());
  d().run_well();
  EXPECT_EQ(read_text(path("one")), std::string(kDiskBlock, '1'));
  EXPECT_EQ(read_text(path("two")), std::string(kDiskBlock, '2'));
}

TEST_P(DiskContract, ExclusiveKeepsOthersOutAndNamesThePath) {
  DiskOptions impatient;
  impatient.lock_patience = Duration::from_ms(20);
  start(impatient);
  const int other = ::open(path("ring").c_str(), O_RDWR | O_CREAT, 0644);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  d().add_open(1, "ring").exclusive = true;
  const Error error = d().run_badly();
  EXPECT_EQ(error.code, Errc::busy);
  EXPECT_THAT(error.message, HasSubstr(path("ring") + " is in use by another process: stop"));
  ::close(other);
  d().add_open(1, "ring").exclusive = true;
  d().run_well();
  EXPECT_GT(disk_->counters().lock_waits, 0U);
}

TEST_P(DiskContract, ALockThatIsReleasedWhileWaitingIsObtained) {
  DiskOptions patient;
  patient.lock_patience = Duration::from_ms(60'000);
  start(patient);
  const int other = ::open(path("ring").c_str(), O_RDWR | O_CREAT, 0644);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  d().add_open(1, "ring").exclusive = true;
  d().submit();
  // Other work goes on while one open waits for its lock.
  std::vector<DiskDone> done;
  while (disk_->counters().lock_waits == 0) disk_->poll(done);
  EXPECT_TRUE(done.empty());
  ::close(other);
  d().add_path(DiskOpKind::create_folder, "else");
  d().run_well();
}

TEST_P(DiskContract, CloseReleasesTheLock) {
  d().add_open(1, "ring").exclusive = true;
  d().add_file(DiskOpKind::close, 1);
  d().add_open(2, "ring").exclusive = true;
  d().run_well();
}

// --- read, write, sync

TEST_P(DiskContract, WhatWasWrittenIsReadBack) {
  Aligned written(4 * kDiskBlock);
  Prng random(7);
  for (std::size_t i = 0; i < written.size(); ++i)
    written.data()[i] = static_cast<std::byte>(random.below(256));
  Aligned read(4 * kDiskBlock);
  d().add_open(1, "file");
  d().add_write(1, 3 * kDiskBlock, written.bytes()).durable = true;
  EXPECT_EQ(d().run_well(), written.size());
  d().add_read(1, 3 * kDiskBlock, read.room());
  EXPECT_EQ(d().run_well(), read.size());
  EXPECT_EQ(std::memcmp(written.data(), read.data(), read.size()), 0);
}

TEST_P(DiskContract, PiecesAreGatheredInOrder) {
  const Aligned a(kDiskBlock, 'a');
  const Aligned b(2 * kDiskBlock, 'b');
  d().add_open(1, "file");
  DiskOp& write = d().add_file(DiskOpKind::write, 1);
  for (int i = 0; i < 3; ++i) {
    write.pieces.push_back(a.bytes());
    write.pieces.push_back({});
    write.pieces.push_back(b.bytes());
  }
  EXPECT_EQ(d().run_well(), 9 * kDiskBlock);
  std::string expected;
  for (int i = 0; i < 3; ++i) expected += std::string(kDiskBlock, 'a') + std::string(2 * kDiskBlock, 'b');
  EXPECT_EQ(read_text(path("file")), expected);
}

TEST_P(DiskContract, LargeTransfersAndManyPiecesAreCutByTheDisk) {
  const Aligned block(kDiskBlock, 'p');
  const std::size_t pieces = 3000;  // more than one call takes, and 12 MB
  d().add_open(1, "file");
  DiskOp& write = d().add_file(DiskOpKind::write, 1);
  write.durable = true;
  for (std::size_t i = 0; i < pieces; ++i) write.pieces.push_back(block.bytes());
  EXPECT_EQ(d().run_well(), pieces * kDiskBlock);
  Aligned back(pieces * kDiskBlock);
  d().add_read(1, 0, back.room());
  EXPECT_EQ(d().run_well(), back.size());
  EXPECT_TRUE(back.is_all(0, back.size(), 'p'));
}

TEST_P(DiskContract, ReadingPastTheEndGivesWhatThereIs) {
  const Aligned block(2 * kDiskBlock, 'x');
  d().add_open(1, "file");
  d().add_write(1, 0, block.bytes());
  d().run_well();
  Aligned room(4 * kDiskBlock, '.');
  d().add_read(1, kDiskBlock, room.room());
  EXPECT_EQ(d().run_well(), kDiskBlock);
  EXPECT_TRUE(room.is_all(0, kDiskBlock, 'x'));
  d().add_read(1, 2 * kDiskBlock, room.room());
  EXPECT_EQ(d().run_well(), 0U);
  d().add_read(1, 100 * kDiskBlock, room.room());
  EXPECT_EQ(d().run_well(), 0U);
  d().add_file(DiskOpKind::truncate, 1).size = kDiskBlock + 100;
  d().add_read(1, kDiskBlock, room.room());
  EXPECT_EQ(d().run_well(), 100U);
}

TEST_P(DiskContract, EmptyTransfersComplete) {
  d().add_open(1, "file");
  d().add_file(DiskOpKind::write, 1).durable = true;
  d().add_file(DiskOpKind::read, 1);
  EXPECT_EQ(d().run_well(), 0U);
}

TEST_P(DiskContract, FilesThatAreNotDirectTakeAnyBytes) {
  d().add_open(1, "file", false);
  d().add_write(1, 3, as_bytes("abc")).durable = true;
  d().add_file(DiskOpKind::sync, 1);
  d().run_well();
  EXPECT_EQ(read_text(path("file")), std::string("\0\0\0abc", 6));
}

TEST_P(DiskContract, AReadOnlyDescriptorsErrorIsStorageAndStays) {
  // A file size limit is the one write error that a test can have without a special device.
  const Aligned block(kDiskBlock, 'x');
  d().add_open(1, "file");
  d().run_well();
  d().add_write(1, (1ULL << 62), block.bytes());
  const Error first = d().run_badly();
  EXPECT_EQ(first.code, Errc::storage);
  EXPECT_THAT(first.message, HasSubstr("cannot write " + path("file") + ": "));
  // It is never retried into success.
  d().add_write(1, 0, block.bytes());
  EXPECT_EQ(d().run_badly().message, first.message);
  d().add_file(DiskOpKind::sync, 1);
  EXPECT_EQ(d().run_badly().message, first.message);
  Aligned room(kDiskBlock);
  d().add_read(1, 0, room.room());
  d().run_well();
}

TEST_P(DiskContract, ASyncAfterAWriteThatFailsInTheSameBatchFailsToo) {
  const Aligned block(kDiskBlock, 'x');
  d().add_open(1, "file");
  d().add_write(1, (1ULL << 62), block.bytes());
  d().add_file(DiskOpKind::sync, 1);
  d().run();
  EXPECT_FALSE(d().done(1).outcome);
  EXPECT_FALSE(d().done(2).outcome);
}

TEST_P(DiskContract, SyncCompletesAfterTheWritesBeforeIt) {
  const Aligned run(1 << 20, 's');
  d().add_open(1, "file");
  d().run_well();
  for (int round = 0; round < 4; ++round) {
    for (std::uint64_t i = 0; i < 4; ++i) {
      d().add_write(1, i << 20, run.bytes());
    }
    d().add_file(DiskOpKind::sync, 1);
    d().add_write(1, 5 << 20, run.bytes());
    const auto& done = d().run();
    // Completions are listed in the order in which they happened.
    std::size_t sync_at = 0;
    std::size_t last_write_before = 0;
    std::uint64_t first_token = UINT64_MAX;
    for (const DiskDone& one : done) first_token = std::min(first_token, one.token.value);
    for (std::size_t i = 0; i < done.size(); ++i) {
      if (done[i].token.value == first_token + 4) sync_at = i;
      if (done[i].token.value < first_token + 4) last_write_before = std::max(last_write_before, i);
    }
    EXPECT_GT(sync_at, last_write_before);
  }
}

TEST_P(DiskContract, TruncateWaitsForWritesAndHoldsLaterOnes) {
  const Aligned run(1 << 20, 't');
  for (int round = 0; round < 8; ++round) {
    d().add_open(1, "file");
    for (std::uint64_t i = 0; i < 4; ++i) d().add_write(1, i << 20, run.bytes());
    d().add_file(DiskOpKind::truncate, 1).size = kDiskBlock;
    d().add_write(1, 8 << 20, run.bytes());
    d().add_file(DiskOpKind::close, 1);
    d().add_open(1, "file");
    d().run();
    EXPECT_EQ(d().done(5).outcome, kDiskBlock);
    EXPECT_EQ(d().done(8).outcome, 9U << 20);
    Aligned room(kDiskBlock, '.');
    d().add_read(1, 1 << 20, room.room());
    d().add_file(DiskOpKind::close, 1);
    d().run_well();
    EXPECT_TRUE(room.is_all(0, kDiskBlock, 0)) << "the truncated part is a hole";
  }
}

TEST_P(DiskContract, SyncAllCoversFilesAndNamesAndLetsDescriptorsGo) {
  DiskOptions few;
  few.descriptors_max = 2;
  start(few);
  const Aligned block(kDiskBlock, 's');
  for (std::uint64_t file = 0; file < 4; ++file) {
    d().add_path(DiskOpKind::create_folder, "t-" + std::to_string(file));
    d().add_open(file, "t-" + std::to_string(file) + "/log");
    d().add_write(file, 0, block.bytes());
  }
  d().run_well();
  EXPECT_EQ(disk_->counters().descriptors, 4U) << "unsynced writes keep their descriptors";
  d().add(DiskOpKind::sync_all);
  d().run_well();
  d().add_open(9, "9");
  d().run_well();
  EXPECT_LE(disk_->counters().descriptors, 3U);
}

TEST_P(DiskContract, DurableNamesInAllKinds) {
  d().add_path(DiskOpKind::create_folder, "a/b").durable = true;
  d().add_open(1, "a/b/file").durable = true;
  DiskOp& cut = d().add_file(DiskOpKind::truncate, 1);
  cut.size = 100;
  cut.durable = true;
  d().add_path(DiskOpKind::rename, "a/b/file", "a/other").durable = true;
  d().add_path(DiskOpKind::remove, "a/b").durable = true;
  d().add_path(DiskOpKind::remove, "a/b").durable = true;
  d().add_path(DiskOpKind::remove, "gone/with/its/folder").durable = true;
  d().run_well();
  EXPECT_EQ(std::filesystem::file_size(path("a/other")), 100U);
}

TEST_P(DiskContract, ManyDurableNamesAtOnceShareTheirSyncs) {
  for (std::uint64_t i = 0; i < 300; ++i) {
    d().add_path(DiskOpKind::create_folder, "t-" + std::to_string(i)).durable = true;
    d().add_open(i, "t-" + std::to_string(i) + "/log").durable = true;
  }
  d().run_well();
  for (std::uint64_t i = 0; i < 300; ++i) {
    EXPECT_TRUE(std::filesystem::exists(path("t-" + std::to_string(i) + "/log")));
  }
}

// --- preallocate

TEST_P(DiskContract, PreallocateTakesBlocksAndGrowsTheFileOnlyIfAsked) {
  d().add_open(1, "file");
  DiskOp& hidden = d().add_file(DiskOpKind::preallocate, 1);
  hidden.size = 1 << 20;
  d().run_well();
  EXPECT_EQ(std::filesystem::file_size(path("file")), 0U);
  struct stat status{};
  ::stat(path("file").c_str(), &status);
  EXPECT_GE(status.st_blocks * 512, 1 << 20);

  DiskOp& visible = d().add_file(DiskOpKind::preallocate, 1);
  visible.size = 2 << 20;
  visible.extend = true;
  d().run_well();
  EXPECT_EQ(std::filesystem::file_size(path("file")), 2U << 20);
  Aligned room(kDiskBlock, '.');
  d().add_read(1, 1 << 20, room.room());
  EXPECT_EQ(d().run_well(), kDiskBlock);
  EXPECT_TRUE(room.is_all(0, kDiskBlock, 0));
}

TEST_P(DiskContract, PreallocateBeyondAllBoundsIsAnError) {
  d().add_open(1, "file");
  d().add_file(DiskOpKind::preallocate, 1).size = 1ULL << 50;
  d().run();
  ASSERT_FALSE(d().done(1).outcome);
  // Too large for the file system (storage), or more than there is (out_of_space).
  EXPECT_THAT(d().done(1).outcome.error().message, HasSubstr("cannot preallocate " + path("file")));
}

// --- zero

TEST_P(DiskContract, ZeroLeavesBlocksWithoutTheirBytesAndLetsTheFileGrow) {
  const Aligned old(8 * kDiskBlock, 'x');
  d().add_open(1, "file").exclusive = true;
  d().add_write(1, 0, old.bytes());
  DiskOp& zero = d().add_file(DiskOpKind::zero, 1);
  zero.at = 2 * kDiskBlock;
  zero.size = 14 * kDiskBlock;
  d().run();
  if (!d().done(2).outcome && d().done(2).outcome.error().code == Errc::unsupported)
    GTEST_SKIP() << d().done(2).outcome.error().message;
  ASSERT_TRUE(d().done(2).outcome) << d().done(2).outcome.error().message;
  EXPECT_EQ(std::filesystem::file_size(path("file")), 16 * kDiskBlock);
  struct stat status{};
  ::stat(path("file").c_str(), &status);
  EXPECT_GE(status.st_blocks * 512, static_cast<std::int64_t>(16 * kDiskBlock));
  Aligned room(16 * kDiskBlock, '.');
  d().add_read(1, 0, room.room());
  EXPECT_EQ(d().run_well(), 16 * kDiskBlock);
  EXPECT_TRUE(room.is_all(0, 2 * kDiskBlock, 'x'));
  EXPECT_TRUE(room.is_all(2 * kDiskBlock, 16 * kDiskBlock, 0));
}

TEST_P(DiskContract, ZeroWaitsForWritesAndHoldsLaterOnes) {
  const Aligned old(64 * kDiskBlock, 'x');
  const Aligned fresh(4 * kDiskBlock, 'y');
  d().add_open(1, "file").exclusive = true;
  d().add_write(1, 0, old.bytes());
  d().add_file(DiskOpKind::zero, 1).size = 64 * kDiskBlock;
  d().add_write(1, 8 * kDiskBlock, fresh.bytes());
  d().run();
  if (!d().done(2).outcome && d().done(2).outcome.error().code == Errc::unsupported)
    GTEST_SKIP() << d().done(2).outcome.error().message;
  EXPECT_TRUE(d().done(3).outcome);
  Aligned room(64 * kDiskBlock, '.');
  d().add_read(1, 0, room.room());
  d().run_well();
  EXPECT_TRUE(room.is_all(0, 8 * kDiskBlock, 0));
  EXPECT_TRUE(room.is_all(8 * kDiskBlock, 12 * kDiskBlock, 'y'));
  EXPECT_TRUE(room.is_all(12 * kDiskBlock, 64 * kDiskBlock, 0));
}

// --- folders and whole files

TEST_P(DiskContract, CreateFolderMakesAllAndDoesNotMindIfItIsThere) {
  d().add_path(DiskOpKind::create_folder, "a/b/c");
  d().add_path(DiskOpKind::create_folder, "a/b");
  d().add_open(1, "a/b/c/file");
  d().run_well();
  EXPECT_TRUE(std::filesystem::is_regular_file(path("a/b/c/file")));
  d().add_path(DiskOpKind::create_folder, "a/b/c/file");
  EXPECT_EQ(d().run_badly().code, Errc::storage);
}

TEST_P(DiskContract, ReplaceIsAllOrNothingAndLeavesNoOtherName) {
  d().add_path(DiskOpKind::create_folder, "manifest");
  d().add_path(DiskOpKind::replace, "manifest/0-1").content = to_buffer("first");
  d().add_path(DiskOpKind::replace, "manifest/0-1").content = to_buffer("second, longer");
  d().add_path(DiskOpKind::replace, "manifest/0-2").content = to_buffer("");
  d().add_path(DiskOpKind::replace, "meta.properties").content = to_buffer("m");
  d().add_path(DiskOpKind::load, "manifest/0-1");
  d().add_path(DiskOpKind::list, "manifest");
  d().run_well();
  EXPECT_EQ(as_text(d().done(5).content), "second, longer");
  EXPECT_THAT(d().done(6).names, ElementsAre("0-1", "0-2"));
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(path("manifest")))
    all.push_back(entry.path().filename());
  EXPECT_EQ(all.size(), 2U) << "no temporary file stays";
  EXPECT_EQ(read_text(path("meta.properties")), "m");
}

TEST_P(DiskContract, AReplaceThatFailsLeavesTheOldContent) {
  d().add_path(DiskOpKind::create_folder, "m");
  d().add_path(DiskOpKind::replace, "m/file").content = to_buffer("old");
  d().run_well();
  std::filesystem::create_directory(path("m/.0.tmp"));  // the temporary file's name is taken
  d().add_path(DiskOpKind::replace, "m/file").content = to_buffer("new");
  d().run_badly();
  EXPECT_EQ(read_text(path("m/file")), "old");
}

TEST_P(DiskContract, ALeftOverTemporaryFileIsNotListedAndOverwritten) {
  std::filesystem::create_directory(path("m"));
  std::FILE* left = std::fopen(path("m/.0.tmp").c_str(), "w");
  std::fputs("half of a longer content", left);
  std::fclose(left);
  d().add_path(DiskOpKind::list, "m");
  d().run_well();
  EXPECT_THAT(d().done(0).names, ElementsAre());
  d().add_path(DiskOpKind::replace, "m/file").content = to_buffer("new");
  d().run_well();
  EXPECT_EQ(read_text(path("m/file")), "new");
  EXPECT_FALSE(std::filesystem::exists(path("m/.0.tmp")));
}

TEST_P(DiskContract, LoadOfAnAbsentFileAndListOfAnAbsentFolderSayNotFound) {
  d().add_path(DiskOpKind::load, "absent");
  d().add_path(DiskOpKind::list, "absent");
  d().add_path(DiskOpKind::rename, "absent", "other");
  d().run();
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(d().done(i).outcome.error().code, Errc::not_found) << i;
}

TEST_P(DiskContract, ListIsSortedByBytes) {
  for (const char* name : {"b", "a-10", "a-2", "Z", "ä", "_"}) {
    d().add_path(DiskOpKind::replace, std::string("folder/") + name);
  }
  std::filesystem::create_directory(path("folder"));
  d().add_path(DiskOpKind::list, "folder");
  d().run_well();
  EXPECT_THAT(d().done(6).names, ElementsAre("Z", "_", "a-10", "a-2", "b", "ä"));
}

TEST_P(DiskContract, ListOfTheRootSeesEverythingBeforeIt) {
  for (int i = 0; i < 50; ++i) d().add_path(DiskOpKind::create_folder, "t-" + std::to_string(100 + i));
  d().add_path(DiskOpKind::list, "");
  d().add_path(DiskOpKind::create_folder, "later");
  d().run_well();
  std::vector<std::string> names = d().done(50).names;
  std::erase_if(names, [](const std::string& name) { return !name.starts_with("t-"); });
  EXPECT_EQ(names.size(), 50U);
  EXPECT_TRUE(std::ranges::is_sorted(names));
}

TEST_P(DiskContract, RemoveTakesFilesAndFoldersAndDoesNotMindAbsence) {
  d().add_path(DiskOpKind::create_folder, "t-0/deep");
  d().add_path(DiskOpKind::replace, "t-0/deep/file").content = to_buffer("x");
  d().add_path(DiskOpKind::replace, "t-0/file").content = to_buffer("x");
  d().add_path(DiskOpKind::remove, "t-0/file");
  d().add_path(DiskOpKind::remove, "t-0");
  d().add_path(DiskOpKind::remove, "t-0");
  d().add_path(DiskOpKind::remove, "never/was");
  d().run_well();
  EXPECT_FALSE(std::filesystem::exists(path("t-0")));
}

TEST_P(DiskContract, ALargeFileIsRemovedAndAnOpenOneStaysReadable) {
  const std::uint64_t large = 200ULL << 20;
  const Aligned block(kDiskBlock, 'l');
  d().add_path(DiskOpKind::create_folder, "t-0");
  for (std::uint64_t file : {1, 2}) {
    d().add_open(file, "t-0/" + std::to_string(file));
    d().add_write(file, large, block.bytes());
  }
  d().add_file(DiskOpKind::close, 1);
  d().run_well();
  d().add_path(DiskOpKind::remove, "t-0/1");
  d().add_path(DiskOpKind::remove, "t-0/2");
  d().run_well();
  EXPECT_TRUE(std::filesystem::is_empty(path("t-0")));
  Aligned room(kDiskBlock);
  d().add_read(2, large, room.room());
  EXPECT_EQ(d().run_well(), kDiskBlock);
  EXPECT_TRUE(room.is_all(0, kDiskBlock, 'l'));
}

TEST_P(DiskContract, RenameMovesFilesAndFoldersWithOpenFilesInThem) {
  const Aligned block(kDiskBlock, 'r');
  d().add_path(DiskOpKind::create_folder, "t-0");
  d().add_open(1, "t-0/next.log");
  d().add_write(1, 0, block.bytes());
  d().add_path(DiskOpKind::rename, "t-0/next.log", "t-0/00.log");
  d().add_path(DiskOpKind::rename, "t-0", "t-0.x-delete");
  d().add_path(DiskOpKind::create_folder, "t-0");
  d().add_write(1, kDiskBlock, block.bytes());
  d().run_well();
  EXPECT_EQ(std::filesystem::file_size(path("t-0.x-delete/00.log")), 2 * kDiskBlock);
  EXPECT_TRUE(std::filesystem::is_empty(path("t-0")));
}

TEST_P(DiskContract, OperationsOnOnePathRunInTheirOrder) {
  for (int round = 0; round < 50; ++round) {
    d().add_path(DiskOpKind::create_folder, "p");
    d().add_path(DiskOpKind::replace, "p/f").content = to_buffer(std::to_string(round));
    d().add_path(DiskOpKind::rename, "p", "q");
    d().add_path(DiskOpKind::load, "q/f");
    d().add_path(DiskOpKind::remove, "q");
    d().add_path(DiskOpKind::load, "q/f");
  }
  d().run();
  for (std::size_t round = 0; round < 50; ++round) {
    EXPECT_EQ(as_text(d().done(round * 6 + 3).content), std::to_string(round));
    EXPECT_EQ(d().done(round * 6 + 5).outcome.error().code, Errc::not_found);
  }
}

// --- many

TEST_P(DiskContract, ManyOperationsOfAllKindsEachCompleteOnce) {
  DiskOptions narrow;
  narrow.in_flight_max = 8;
  start(narrow);
  Prng random(GetParam().mode == DiskMode::direct_dsync ? 1 : 2);
  const Aligned block(16 * kDiskBlock, 'm');
  std::vector<Aligned> rooms;
  for (int i = 0; i < 2000; ++i) rooms.emplace_back(kDiskBlock);
  constexpr std::uint64_t files = 40;
  for (std::uint64_t file = 0; file < files; ++file) {
    d().add_path(DiskOpKind::create_folder, "m-" + std::to_string(file));
    d().add_open(file, "m-" + std::to_string(file) + "/log");
  }
  for (std::size_t i = 0; i < 2000; ++i) {
    const std::uint64_t file = random.below(files);
    const std::uint64_t at = random.below(64) * kDiskBlock;
    switch (random.below(8)) {
      case 0:
        d().add_file(DiskOpKind::sync, file);
        break;
      case 1:
        d().add_file(DiskOpKind::preallocate, file).size = at + kDiskBlock;
        break;
      case 2:
        d().add_read(file, at, rooms[i].room());
        break;
      case 3:
        d().add_write(file, at, block.bytes()).durable = true;
        break;
      case 4:
        d().add_path(DiskOpKind::list, "m-" + std::to_string(file));
        break;
      default:
        d().add_write(file, at, block.bytes()).urgent = true;
        break;
    }
    if (i % 100 == 99) d().submit();
  }
  for (std::uint64_t file = 0; file < files; ++file) d().add_file(DiskOpKind::close, file);
  d().run_well();
  const DiskCounters counters = disk_->counters();
  EXPECT_EQ(counters.submitted, counters.completed);
  EXPECT_EQ(counters.failed, 0U);
  EXPECT_EQ(counters.descriptors, 0U);
  EXPECT_LE(counters.engine.in_flight_max, 9U);
  EXPECT_GT(counters.syncs.count, 0U);
}

TEST_P(DiskContract, MoreFilesThanDescriptors) {
  DiskOptions few;
  few.descriptors_max = 4;
  start(few);
  constexpr std::uint64_t files = 20;
  std::vector<Aligned> blocks;
  for (std::uint64_t file = 0; file < files; ++file)
    blocks.emplace_back(kDiskBlock, static_cast<int>('a' + file));
  d().add_path(DiskOpKind::create_folder, "t");
  d().add_open(100, "t/ring").exclusive = true;
  for (std::uint64_t file = 0; file < files; ++file) d().add_open(file, "t/" + std::to_string(file));
  d().run_well();
  for (std::uint64_t file = 0; file < files; ++file) {
    d().add_write(file, 0, blocks[file].bytes()).durable = true;
    d().run_well();
    EXPECT_LE(disk_->counters().descriptors, 4U);
  }
  EXPECT_GT(disk_->counters().rested, 20U);

  // A file that rests is found under its new name; one whose name is gone, or names another file now, is not.
  d().add_path(DiskOpKind::rename, "t/3", "t/three");
  d().add_path(DiskOpKind::remove, "t/4");
  d().add_path(DiskOpKind::replace, "t/4").content = to_buffer("not the same file");
  Aligned room(kDiskBlock);
  d().add_read(3, 0, room.room());
  EXPECT_EQ(d().run_well(), kDiskBlock);
  EXPECT_TRUE(room.is_all(0, kDiskBlock, 'd'));
  d().add_read(4, 0, room.room());
  EXPECT_EQ(d().run_badly().code, Errc::storage);
  d().add_file(DiskOpKind::close, 4);
  d().add_path(DiskOpKind::rename, "t", "u");
  d().add_read(5, 0, room.room());
  EXPECT_EQ(d().run_well(), kDiskBlock);
  EXPECT_TRUE(room.is_all(0, kDiskBlock, 'f'));
  for (std::uint64_t file = 0; file < files; ++file) d().add_file(DiskOpKind::close, file);
  d().run_well();
}

TEST_P(DiskContract, DescriptorsWithUnsyncedWritesStay) {
  DiskOptions few;
  few.descriptors_max = 2;
  start(few);
  const Aligned block(kDiskBlock, 'u');
  for (std::uint64_t file = 0; file < 6; ++file) {
    d().add_open(file, std::to_string(file));
    d().add_write(file, 0, block.bytes());
    d().run_well();
  }
  EXPECT_EQ(disk_->counters().descriptors, 6U);
  for (std::uint64_t file = 0; file < 6; ++file) d().add_file(DiskOpKind::sync, file);
  d().run_well();
  d().add_open(7, "7");
  d().run_well();
  EXPECT_LE(disk_->counters().descriptors, 3U);
}

TEST_P(DiskContract, CompletionsWakeTheLoop) {
  const Aligned block(kDiskBlock, 'w');
  d().add_open(1, "file");
  d().run_well();
  const auto is_awake = [&](int timeout_ms) {
    pollfd watched[] = {{disk_->wake_fd(), POLLIN, 0}, {disk_->ring_fd(), POLLIN, 0}};
    int ready = 0;
    // What the ring ends interrupts the sleep before its descriptor tells.
    do {
      ready = ::poll(watched, std::size(watched), timeout_ms);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
  };
  disk_->wait(0);
  EXPECT_FALSE(is_awake(0));
  constexpr int kLong = 60'000;
  // One of the engine, one of the workers, one that fails at once.
  for (int round = 0; round < 3; ++round) {
    if (round == 0) d().add_write(1, 0, block.bytes()).durable = true;
    if (round == 1) d().add_path(DiskOpKind::create_folder, "folder");
    if (round == 2) d().add_file(DiskOpKind::sync, 99);
    d().submit();
    std::vector<DiskDone> done;
    while (done.empty()) {
      ASSERT_TRUE(is_awake(kLong)) << round;
      disk_->wait(0);
      disk_->poll(done);
    }
  }
}

TEST_P(DiskContract, JournalWritesOneAtATimeAndOverlapping) {
  Aligned block(kDiskBlock);
  d().add_open(1, "ring").exclusive = true;
  d().run_well();
  const auto write = [&](std::uint64_t at) {
    DiskOp& op = d().add_write(1, at * kDiskBlock, block.bytes());
    op.urgent = true;
    op.durable = true;
  };
  for (std::uint64_t i = 0; i < 40; ++i) {
    std::memset(block.data(), static_cast<int>(i + 1), block.size());
    write(i);
    d().run_well();
  }
  const std::uint64_t by_thread = disk_->counters().engine.by_thread;
  EXPECT_EQ(by_thread > 20, GetParam().engine == DiskEngineKind::mixed) << by_thread;
  for (std::uint64_t i = 40; i < 60; ++i) {
    write(2 * i);
    write(2 * i + 1);
    d().run_well();
  }
  EXPECT_LE(disk_->counters().engine.by_thread, by_thread + 2) << "overlapping writes are the ring's";
  Aligned back(40 * kDiskBlock);
  d().add_read(1, 0, back.room());
  d().run_well();
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_TRUE(back.is_all(i * kDiskBlock, (i + 1) * kDiskBlock, static_cast<int>(i + 1))) << i;
  }
}

TEST_P(DiskContract, DestructionWaitsForWritesInFlight) {
  const auto block = std::make_unique<Aligned>(1 << 20, 'z');
  d().add_open(1, "file");
  for (std::uint64_t i = 0; i < 20; ++i) d().add_write(1, i << 20, block->bytes());
  d().submit();
  driver_.reset();
  disk_.reset();
  EXPECT_EQ(std::filesystem::file_size(path("file")), 20U << 20);
}

INSTANTIATE_TEST_SUITE_P(Ways, DiskContract,
                         testing::Values(Way{DiskEngineKind::mixed, DiskMode::direct_dsync},
                                         Way{DiskEngineKind::mixed, DiskMode::direct_fdatasync},
                                         Way{DiskEngineKind::uring, DiskMode::direct_dsync},
                                         Way{DiskEngineKind::uring, DiskMode::direct_fdatasync},
                                         Way{DiskEngineKind::uring, DiskMode::buffered_fdatasync},
                                         Way{DiskEngineKind::thread_pool, DiskMode::direct_dsync},
                                         Way{DiskEngineKind::thread_pool, DiskMode::direct_fdatasync},
                                         Way{DiskEngineKind::thread_pool, DiskMode::buffered_fdatasync}),
                         way_name);

}  // namespace
}  // namespace tailwater::shell
