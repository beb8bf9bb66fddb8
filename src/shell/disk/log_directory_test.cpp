// Goal: a log directory is usable after preparation, or the user reads in one line why not and what to do.
// Method: temporary folders; a second holder of the lock is a child process, as another broker would be.
#include "shell/disk/log_directory.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "shell/disk/disk_test_support.hpp"

namespace tailwater::shell {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

const LogDirectoryOptions kImpatient{.mode = {}, .lock_patience = Duration::from_ms(20)};

TEST(LogDirectory, IsMadeWithTheFoldersAboveIt) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/var/lib/data";
  const auto directory = LogDirectory::prepare(DirId{3}, path + "/");
  ASSERT_TRUE(directory) << directory.error().message;
  EXPECT_TRUE(directory->created());
  EXPECT_EQ(directory->path(), path);
  EXPECT_EQ(directory->root().dir, DirId{3});
  EXPECT_EQ(directory->root().path, path);
  EXPECT_TRUE(std::filesystem::is_directory(path));
  EXPECT_THAT(directory->description(), StartsWith("log directory " + path + " (created): "));
}

TEST(LogDirectory, LeavesNothingOfItsProbe) {
  const TemporaryFolder folder;
  const auto directory = LogDirectory::prepare(DirId{0}, folder.path());
  ASSERT_TRUE(directory);
  EXPECT_FALSE(directory->created());
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    EXPECT_EQ(entry.path().filename(), ".lock");
  }
  EXPECT_NE(directory->traits().file_system, "");
}

TEST(LogDirectory, SaysWhyItCannotBeUsed) {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/file";
  std::fclose(std::fopen(file.c_str(), "w"));
  for (const std::string& path : {file, file + "/below"}) {
    const auto directory = LogDirectory::prepare(DirId{0}, path);
    ASSERT_FALSE(directory);
    EXPECT_EQ(directory.error().code, Errc::storage);
    EXPECT_THAT(directory.error().message,
                AllOf(StartsWith("log directory " + path + ": cannot "), EndsWith(": Not a directory")));
  }
  EXPECT_FALSE(LogDirectory::prepare(DirId{0}, ""));
}

TEST(LogDirectory, NamesTheFolderThatAnotherUserOwns) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const auto directory = LogDirectory::prepare(DirId{0}, folder.path());
  ASSERT_FALSE(directory);
  EXPECT_THAT(directory.error().message,
              AllOf(HasSubstr("Permission denied"), HasSubstr("the broker runs as user")));
}

TEST(LogDirectory, IsHeldByOneBroker) {
  const TemporaryFolder folder;
  auto first = LogDirectory::prepare(DirId{0}, folder.path());
  ASSERT_TRUE(first);
  const auto second = LogDirectory::prepare(DirId{0}, folder.path(), kImpatient);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_EQ(second.error().message,
            "log directory " + folder.path() + ": in use by process " + std::to_string(::getpid()) +
                "; stop that broker, or give this one a folder of its own (log.dirs)");
  {
    const LogDirectory gone = std::move(*first);
  }
  EXPECT_TRUE(LogDirectory::prepare(DirId{0}, folder.path(), kImpatient));
}

// A process that has locked the folder in one of two ways, until it is told to go.
class Holder {
 public:
  enum class Lock : std::uint8_t { record, flock };
  Holder(const std::string& folder, Lock kind) {
    int ready[2];
    if (::pipe(ready) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      const int file = ::open((folder + "/.lock").c_str(), O_RDWR | O_CREAT, 0644);
      struct flock whole{};
      whole.l_type = F_WRLCK;
      const int result =
          kind == Lock::record ? ::fcntl(file, F_SETLK, &whole) : ::flock(file, LOCK_EX | LOCK_NB);
      const char answer = result == 0 ? 'y' : 'n';
      if (::write(ready[1], &answer, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    locked_ = ::read(ready[0], &answer_, 1) == 1 && answer_ == 'y';
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~Holder() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  bool locked() const { return locked_; }

 private:
  pid_t child_ = -1;
  char answer_ = 'n';
  bool locked_ = false;
};

TEST(LogDirectory, BothKindsOfLockKeepUsOut) {
  for (const auto kind : {Holder::Lock::record, Holder::Lock::flock}) {
    const TemporaryFolder folder;
    {
      const Holder kafka(folder.path(), kind);
      ASSERT_TRUE(kafka.locked());
      const auto directory = LogDirectory::prepare(DirId{0}, folder.path(), kImpatient);
      ASSERT_FALSE(directory);
      EXPECT_EQ(directory.error().code, Errc::busy);
      EXPECT_THAT(directory.error().message, HasSubstr("in use by another process; stop that broker"));
    }
    EXPECT_TRUE(LogDirectory::prepare(DirId{0}, folder.path()));
  }
}

TEST(LogDirectory, WeKeepBothKindsOut) {
  const TemporaryFolder folder;
  const auto directory = LogDirectory::prepare(DirId{0}, folder.path());
  ASSERT_TRUE(directory);
  EXPECT_FALSE(Holder(folder.path(), Holder::Lock::record).locked());
  EXPECT_FALSE(Holder(folder.path(), Holder::Lock::flock).locked());
}

TEST(LogDirectory, MemoryIsUsedThroughTheCacheAndWarnedOf) {
  std::string pattern = "/dev/shm/tailwater-disk-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) GTEST_SKIP() << "no /dev/shm";
  {
    const auto directory = LogDirectory::prepare(DirId{0}, pattern);
    ASSERT_TRUE(directory) << directory.error().message;
    if (directory->traits().file_system == "tmpfs") {
      EXPECT_EQ(directory->root().mode, DiskMode::buffered_fdatasync);
      EXPECT_THAT(directory->traits().warnings, testing::Contains(HasSubstr("tmpfs is memory")));
    }
  }
  std::filesystem::remove_all(pattern);
}

TEST(LogDirectory, TheModeCanBeChosen) {
  const TemporaryFolder folder;
  const auto directory =
      LogDirectory::prepare(DirId{0}, folder.path(),
                            {.mode = DiskMode::buffered_fdatasync, .lock_patience = Duration::from_ms(20)});
  ASSERT_TRUE(directory);
  EXPECT_EQ(directory->root().mode, DiskMode::buffered_fdatasync);
  EXPECT_THAT(directory->description(), HasSubstr("buffered + fdatasync"));
}

TEST(EngineChoice, ThreadsOnWishAndAReasonAlways) {
  EXPECT_EQ(choose_engine(DiskEngineKind::thread_pool).kind, DiskEngineKind::thread_pool);
  const EngineChoice choice = choose_engine();
  EXPECT_EQ(choice.kind == DiskEngineKind::mixed, choice.reason.empty());
  if (choice.reason.empty()) {
    EXPECT_EQ(choose_engine(DiskEngineKind::uring).kind, DiskEngineKind::uring);
  }
}

}  // namespace
}  // namespace tailwater::shell
