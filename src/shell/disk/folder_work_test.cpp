// Goal: what the blocking half of the disk does cannot be taken further than it can be undone or read again. Method:
// jobs in a folder of the test's own.
#include "shell/disk/folder_work.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "shell/disk/disk_test_support.hpp"

namespace tailwater::shell {
namespace {

class FolderWork : public ::testing::Test {
 protected:
  FolderResult run(FolderJob job) {
    job.root.folder = root_.get();
    job.root.path = folder_.path();
    std::vector<FolderJob> jobs;
    jobs.push_back(std::move(job));
    std::vector<FolderResult> results;
    run_folder_jobs(jobs, results);
    return std::move(results.at(0));
  }
  FolderResult replace(const std::string& content, std::uint64_t bytes_max) {
    return run({.kind = DiskOpKind::replace,
                .path = "manifest",
                .content = to_buffer(content),
                .temporary = "t",
                .bytes_max = bytes_max});
  }
  FolderResult load(std::uint64_t bytes_max) {
    return run({.kind = DiskOpKind::load, .path = "manifest", .bytes_max = bytes_max});
  }

  TemporaryFolder folder_;
  Descriptor root_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(FolderWork, WhatCouldNotBeReadAgainIsNotWritten) {
  ASSERT_TRUE(replace("0123456789", 10).outcome);
  const FolderResult refused = replace("01234567890", 10);
  ASSERT_FALSE(refused.outcome);
  EXPECT_EQ(
      refused.outcome.error(),
      (Error{Errc::storage, "cannot replace " + folder_.path() +
                                "/manifest: it has 11 bytes, more than the 10 that can be read at once"}));
  EXPECT_EQ(load(10).content, to_buffer("0123456789"));
  EXPECT_FALSE(load(9).outcome);
}

// A pool of files is everybody's: while one shard removes one, another may take it.
TEST_F(FolderWork, WhatIsRenamedWhileItIsRemovedIsWhole) {
  constexpr off_t kLarge = off_t{256} << 30;  // all of it a hole, and some thousand steps to cut
  int taken = 0;
  for (int round = 0; round < 100; ++round) {
    const Descriptor file(::openat(root_.get(), "pooled", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_EQ(::ftruncate(file.get(), kLarge), 0);
    std::atomic<bool> begun = false;
    std::thread taker([&] {
      begun = true;
      for (int wait = 0; wait < round * 20; ++wait) std::this_thread::yield();
      ::renameat(root_.get(), "pooled", root_.get(), "segment");
    });
    while (!begun) std::this_thread::yield();
    EXPECT_TRUE(run({.kind = DiskOpKind::remove, .path = "pooled"}).outcome);
    taker.join();
    EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/pooled"));
    if (!std::filesystem::exists(folder_.path() + "/segment")) continue;
    ++taken;
    ASSERT_EQ(std::filesystem::file_size(folder_.path() + "/segment"), kLarge);
    ASSERT_EQ(::unlinkat(root_.get(), "segment", 0), 0);
  }
  EXPECT_GT(taken, 0) << "nobody was ever in time";
}

}  // namespace
}  // namespace tailwater::shell
