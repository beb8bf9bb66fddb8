// Goal: that a write-back failed is told to everyone whose bytes it may have been, however the kernel spreads the
// news. Method: in place of the kernel's syncs stand ones that tell of an error as Linux does: once through each
// open file description (here a descriptor: the disk duplicates none), and to later ones if nobody was told yet.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "shell/disk/disk_test_support.hpp"
#include "shell/disk/log_directory.hpp"

namespace tailwater::shell {
namespace {

class Kernel {
 public:
  void fail_write_back(const std::string& path) {
    const std::lock_guard lock(mutex_);
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    failed_ = status.st_ino;
    std::vector<int> descriptors;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
      descriptors.push_back(std::stoi(entry.path().filename().string()));
    for (const int descriptor : descriptors) {
      if (::fcntl(descriptor, F_GETFD) >= 0) owed_.insert(descriptor);  // the look itself had one
    }
  }
  // The next syncs of that file overlap, so many, and who is told of the error gets back last.
  void overlap(int count) {
    const std::lock_guard lock(mutex_);
    overlapping_ = count;
  }
  void heal() {
    const std::lock_guard lock(mutex_);
    failed_ = 0;
    owed_.clear();
    told_ = silent_ = false;
    overlapping_ = begun_ = ended_ = 0;
  }

  // As an overlay's.
  void keep_file_system_silent() {
    const std::lock_guard lock(mutex_);
    silent_ = true;
  }

  int sync_file_system(int descriptor) {
    const std::lock_guard lock(mutex_);
    return !silent_ && failed_ != 0 && tells(descriptor) ? EIO : 0;
  }
  int sync_file(int descriptor) {
    std::unique_lock lock(mutex_);
    struct stat status{};
    if (failed_ == 0 || ::fstat(descriptor, &status) != 0 || status.st_ino != failed_) return 0;
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return begun_ >= overlapping_; });
    const bool told = tells(descriptor);
    if (told) changed_.wait(lock, [&] { return ended_ + 1 >= overlapping_; });
    ++ended_;
    changed_.notify_all();
    return told ? EIO : 0;
  }

 private:
  bool tells(int descriptor) {
    const bool owed = owed_.erase(descriptor) > 0;
    return !std::exchange(told_, true) || owed;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  ino_t failed_ = 0;
  std::set<int> owed_;  // open when it failed, and not told yet
  bool told_ = false;
  bool silent_ = false;
  int overlapping_ = 0;
  int begun_ = 0;
  int ended_ = 0;
};

Kernel& kernel() {
  static Kernel instance;
  return instance;
}

int answer(int error, int system_call, int descriptor) {
  if (error == 0) return static_cast<int>(::syscall(system_call, descriptor));
  errno = error;
  return -1;
}

class DiskWriteBack : public testing::Test {
 protected:
  DiskWriteBack() {
    auto prepared = LogDirectory::prepare(DirId{0}, folder_.path());
    EXPECT_TRUE(prepared) << prepared.error().message;
    directory_ = std::make_unique<LogDirectory>(std::move(*prepared));
  }
  ~DiskWriteBack() override { kernel().heal(); }
  DiskOptions options(bool syncfs) const {
    DiskOptions options;
    options.roots = {directory_->root()};
    options.roots[0].mode = DiskMode::buffered_fdatasync;
    options.roots[0].syncfs = syncfs;
    options.engine = DiskEngineKind::thread_pool;
    return options;
  }
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }

  TemporaryFolder folder_;
  std::unique_ptr<LogDirectory> directory_;
  Aligned block_{kDiskBlock, 'w'};
};

TEST_F(DiskWriteBack, EveryDiskIsToldAtItsNextSyncOfTheFileSystem) {
  Disk first(options(true));
  Disk second(options(true));
  Driver one(first);
  Driver two(second);
  two.add_open(1, "file");
  two.add_write(1, 0, block_.bytes());
  two.run_well();
  kernel().fail_write_back(path("file"));
  one.add(DiskOpKind::sync_all);
  EXPECT_EQ(one.run_badly().code, Errc::storage);
  two.add(DiskOpKind::sync_all);
  EXPECT_EQ(two.run_badly().code, Errc::storage);
}

// Without syncfs each disk syncs all files of the directory, those of others included.
TEST_F(DiskWriteBack, ADiskIsToldOfItsFilesAlsoIfAnotherDiskSyncedThemBefore) {
  Disk first(options(false));
  Disk second(options(false));
  Driver one(first);
  Driver two(second);
  two.add_open(1, "file");
  two.add_write(1, 0, block_.bytes());
  two.run_well();
  kernel().fail_write_back(path("file"));
  one.add(DiskOpKind::sync_all);
  EXPECT_EQ(one.run_badly().code, Errc::storage);
  two.add(DiskOpKind::sync_all);
  EXPECT_EQ(two.run_badly().code, Errc::storage);
}

TEST_F(DiskWriteBack, ADiskIsToldOfItsFilesAlsoIfTheFileSystemDoesNotTell) {
  DiskOptions overlay = options(true);
  overlay.roots[0].syncfs_tells = false;
  Disk disk(overlay);
  Driver driver(disk);
  driver.add_open(1, "file");
  driver.add_write(1, 0, block_.bytes());
  driver.run_well();
  kernel().fail_write_back(path("file"));
  kernel().keep_file_system_silent();
  driver.add(DiskOpKind::sync_all);
  EXPECT_EQ(driver.run_badly().code, Errc::storage);
}

TEST_F(DiskWriteBack, ADurableWriteIsNotDoneIfTheSyncOfEverythingHasItsError) {
  Disk disk(options(false));
  Driver driver(disk);
  driver.add_open(1, "file");
  driver.add_write(1, 0, block_.bytes());
  driver.run_well();
  kernel().fail_write_back(path("file"));
  kernel().overlap(2);
  driver.add(DiskOpKind::sync_all);
  driver.add_write(1, kDiskBlock, block_.bytes()).durable = true;
  driver.run();
  EXPECT_FALSE(driver.done(0).outcome);
  EXPECT_FALSE(driver.done(1).outcome);
}

// Journal frames, two at a time: the kernel may tell the one of what the other wrote.
TEST_F(DiskWriteBack, OfDurableWritesThatOverlapNoneIsDoneIfOneFails) {
  Disk disk(options(true));
  Driver driver(disk);
  driver.add_open(1, "ring");
  driver.run_well();
  kernel().fail_write_back(path("ring"));
  kernel().overlap(2);
  driver.add_write(1, 0, block_.bytes()).durable = true;
  driver.add_write(1, kDiskBlock, block_.bytes()).durable = true;
  driver.run();
  EXPECT_FALSE(driver.done(0).outcome);
  EXPECT_FALSE(driver.done(1).outcome);
}

TEST_F(DiskWriteBack, ASyncIsNotDoneIfADurableWriteHasItsError) {
  Disk disk(options(true));
  Driver driver(disk);
  driver.add_open(1, "file");
  driver.add_write(1, 0, block_.bytes());
  driver.run_well();
  kernel().fail_write_back(path("file"));
  kernel().overlap(2);
  driver.add_file(DiskOpKind::sync, 1);
  driver.add_write(1, kDiskBlock, block_.bytes()).durable = true;
  driver.run();
  EXPECT_FALSE(driver.done(0).outcome);
  EXPECT_FALSE(driver.done(1).outcome);
}

}  // namespace
}  // namespace tailwater::shell

// They come before the C library's.
extern "C" int fsync(int descriptor) {
  return tailwater::shell::answer(tailwater::shell::kernel().sync_file(descriptor), SYS_fsync, descriptor);
}
extern "C" int fdatasync(int descriptor) {
  return tailwater::shell::answer(tailwater::shell::kernel().sync_file(descriptor), SYS_fdatasync,
                                  descriptor);
}
extern "C" int syncfs(int descriptor) noexcept {
  return tailwater::shell::answer(tailwater::shell::kernel().sync_file_system(descriptor), SYS_syncfs,
                                  descriptor);
}
