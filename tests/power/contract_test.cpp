// Goal: what the disk says is durable (base/disk.hpp) survives a power cut, in every disk mode, through the
// kernel. Method: a disk on a mounted power_file_system (main.cpp), cut after the operations were done; what
// was promised must be there whatever else is lost. Many seeds, because a cut may keep everything.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shell/disk/disk_test_support.hpp"

namespace tailwater::power {
namespace {

using shell::Aligned;
using shell::Disk;
using shell::DiskEngineKind;
using shell::DiskMode;
using shell::Driver;
using shell::LogDirectory;
using shell::read_text;

constexpr int kSeeds = 12;

// The program that serves the mount, which ends with its standard input.
class Mounted {
 public:
  Mounted() {
    int commands[2] = {};
    int answers[2] = {};
    if (::access("/dev/fuse", R_OK | W_OK) != 0 || ::pipe(commands) != 0 || ::pipe(answers) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(commands[0], STDIN_FILENO);
      ::dup2(answers[1], STDOUT_FILENO);
      for (const int end : {commands[0], commands[1], answers[0], answers[1]}) ::close(end);
      ::execl(POWER_FILE_SYSTEM, POWER_FILE_SYSTEM, folder_.path().c_str(), nullptr);
      ::_exit(127);
    }
    ::close(commands[0]);
    ::close(answers[1]);
    commands_ = ::fdopen(commands[1], "w");
    answers_ = ::fdopen(answers[0], "r");
    ready_ = answer() == "ready\n";
  }
  ~Mounted() {
    if (commands_ != nullptr) std::fclose(commands_);
    if (answers_ != nullptr) std::fclose(answers_);
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
  }
  Mounted(const Mounted&) = delete;
  Mounted& operator=(const Mounted&) = delete;

  bool ready() const { return ready_; }
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  void cut(int seed) {
    ask("cut " + std::to_string(seed) + " 0\n");
    ask("on\n");
  }

 private:
  std::string answer() {
    char line[128] = {};
    return std::fgets(line, sizeof line, answers_) == nullptr ? "" : line;
  }
  void ask(const std::string& command) {
    std::fputs(command.c_str(), commands_);
    std::fflush(commands_);
    EXPECT_NE(answer(), "");
  }

  TemporaryFolder folder_;
  pid_t child_ = 0;
  std::FILE* commands_ = nullptr;
  std::FILE* answers_ = nullptr;
  bool ready_ = false;
};

struct Way {
  DiskEngineKind engine;
  DiskMode mode;
};

class PowerContract : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (!mount_.ready()) GTEST_SKIP() << "nothing can be mounted through /dev/fuse here";
  }

  // Each seed begins with a folder of its own; `work` is done when the power goes, and `look` is what is
  // there then.
  template <typename Work, typename Look>
  void for_each_seed(Work work, Look look, int seeds = kSeeds) {
    for (int seed = 0; seed < seeds; ++seed) {
      const std::string folder = mount_.path("data-" + std::to_string(seed));
      {
        auto directory = LogDirectory::prepare(DirId{0}, folder, {.mode = GetParam().mode});
        ASSERT_TRUE(directory) << directory.error().message;
        Disk disk({.roots = {directory->root()}, .engine = GetParam().engine});
        Driver driver(disk);
        work(driver);
        mount_.cut(seed);
      }
      look(folder + "/", seed);
    }
  }

  Mounted mount_;
  const Aligned old_{kDiskBlock, 'o'};
  const Aligned new_{kDiskBlock, 'n'};
};

TEST_P(PowerContract, NothingIsKeptThatWasNotMadeDurable) {
  int lost = 0;
  for_each_seed(
      [&](Driver& d) {
        d.add_open(1, "file").durable = true;
        d.add_write(1, 0, old_.bytes()).durable = true;
        d.run_well();
        d.add_write(1, 0, new_.bytes());
        d.run_well();
      },
      [&](const std::string& in, int) {
        lost += read_text(in + "file") != std::string(kDiskBlock, 'n') ? 1 : 0;
      });
  EXPECT_GT(lost, 0);
}

TEST_P(PowerContract, DurableWritesAreKept) {
  for_each_seed(
      [&](Driver& d) {
        d.add_open(1, "file").durable = true;
        d.add_write(1, 0, old_.bytes());
        d.add_write(1, kDiskBlock, new_.bytes()).durable = true;
        d.run_well();
      },
      [&](const std::string& in, int seed) {
        const std::string content = read_text(in + "file");
        ASSERT_EQ(content.size(), 2 * kDiskBlock) << seed;
        EXPECT_EQ(content.substr(kDiskBlock), std::string(kDiskBlock, 'n')) << seed;
      });
}

TEST_P(PowerContract, ASyncKeepsWhatWasWrittenBefore) {
  for_each_seed(
      [&](Driver& d) {
        d.add_open(1, "file").durable = true;
        d.add_write(1, 0, old_.bytes());
        d.add_write(1, kDiskBlock, new_.bytes());
        d.add_file(DiskOpKind::sync, 1);
        d.run_well();
      },
      [&](const std::string& in, int seed) {
        EXPECT_EQ(read_text(in + "file"), std::string(kDiskBlock, 'o') + std::string(kDiskBlock, 'n'))
            << seed;
      });
}

TEST_P(PowerContract, ASyncOfAllKeepsContentsSizesAndNames) {
  for_each_seed(
      [&](Driver& d) {
        d.add_path(DiskOpKind::create_folder, "one/deep");
        d.run_well();
        for (const std::uint64_t file : {1, 2, 3}) {
          d.add_open(file, "one/deep/" + std::to_string(file));
          d.add_write(file, 0, new_.bytes());
        }
        d.run_well();
        d.add_path(DiskOpKind::rename, "one/deep/3", "one/deep/three");
        d.add_path(DiskOpKind::remove, "one/deep/2");
        d.run_well();
        d.add_path(DiskOpKind::sync_all, "");
        d.run_well();
      },
      [&](const std::string& in, int seed) {
        const std::string content(kDiskBlock, 'n');
        EXPECT_EQ(read_text(in + "one/deep/1"), content) << seed;
        EXPECT_EQ(read_text(in + "one/deep/2"), "(absent)") << seed;
        EXPECT_EQ(read_text(in + "one/deep/3"), "(absent)") << seed;
        EXPECT_EQ(read_text(in + "one/deep/three"), content) << seed;
      });
}

TEST_P(PowerContract, DurableNamesAndSizesAreKept) {
  for_each_seed(
      [&](Driver& d) {
        d.add_path(DiskOpKind::create_folder, "folder/below").durable = true;
        d.run_well();
        for (const std::uint64_t file : {1, 2, 3}) {
          d.add_open(file, "folder/below/" + std::to_string(file)).durable = true;
          d.add_write(file, 0, new_.bytes()).durable = true;
        }
        d.run_well();
        d.add_path(DiskOpKind::rename, "folder/below/1", "folder/one").durable = true;
        d.add_path(DiskOpKind::remove, "folder/below/2").durable = true;
        DiskOp& truncate = d.add_file(DiskOpKind::truncate, 3);
        truncate.size = 100;
        truncate.durable = true;
        d.run_well();
      },
      [&](const std::string& in, int seed) {
        EXPECT_EQ(read_text(in + "folder/below/1"), "(absent)") << seed;
        EXPECT_EQ(read_text(in + "folder/one"), std::string(kDiskBlock, 'n')) << seed;
        EXPECT_EQ(read_text(in + "folder/below/2"), "(absent)") << seed;
        EXPECT_EQ(read_text(in + "folder/below/3"), std::string(100, 'n')) << seed;
      });
}

TEST_P(PowerContract, WhatReplacesAFileIsThereWholeOrNotAtAll) {
  for_each_seed(
      [&](Driver& d) {
        for (const char* content : {"the first", "the second"}) {
          d.add_path(DiskOpKind::replace, "small").content = shell::to_buffer(content);
          d.run_well();
        }
      },
      [&](const std::string& in, int seed) { EXPECT_EQ(read_text(in + "small"), "the second") << seed; });
}

// This file system cannot cut a file that has lost its name.
TEST_P(PowerContract, ALargeFileIsRemoved) {
  for_each_seed(
      [&](Driver& d) {
        d.add_open(1, "large").durable = true;
        d.add_file(DiskOpKind::truncate, 1).size = std::uint64_t{72} << 20;
        d.run_well();
        d.add_file(DiskOpKind::close, 1);
        d.run_well();
        d.add_path(DiskOpKind::remove, "large").durable = true;
        d.run_well();
      },
      [&](const std::string& in, int seed) { EXPECT_FALSE(std::filesystem::exists(in + "large")) << seed; },
      1);
}

INSTANTIATE_TEST_SUITE_P(Ways, PowerContract,
                         testing::Values(Way{DiskEngineKind::mixed, DiskMode::direct_dsync},
                                         Way{DiskEngineKind::mixed, DiskMode::direct_fdatasync},
                                         Way{DiskEngineKind::mixed, DiskMode::buffered_fdatasync},
                                         Way{DiskEngineKind::thread_pool, DiskMode::direct_dsync},
                                         Way{DiskEngineKind::thread_pool, DiskMode::buffered_fdatasync}),
                         [](const testing::TestParamInfo<Way>& info) {
                           std::string name(info.param.engine == DiskEngineKind::mixed ? "ring_"
                                                                                       : "threads_");
                           for (const char c : to_string(info.param.mode))
                             name += c == ' ' || c == '+' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace tailwater::power
