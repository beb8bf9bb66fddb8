// Goal: the memory that a broker counts on is the machine's, or a container's where that is less.
// Method: folders that look like /proc and /sys/fs/cgroup.
#include "shell/system/memory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "shell/disk/disk_test_support.hpp"

namespace tailwater::shell {
namespace {

constexpr std::uint64_t kMegabyte = 1 << 20;

class Memory : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_.path() + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void machine(std::uint64_t available_megabytes) {
    write("proc/meminfo", "MemTotal:       99999999 kB\nMemFree:  1 kB\nMemAvailable:   " +
                              std::to_string(available_megabytes * 1024) + " kB\n");
  }
  std::uint64_t megabytes() const {
    return available_memory({folder_.path() + "/proc", folder_.path() + "/cgroup"}) / kMegabyte;
  }
  static std::string bytes(std::uint64_t count) { return std::to_string(count * kMegabyte) + "\n"; }

  TemporaryFolder folder_;
};

TEST_F(Memory, OfTheMachineWithoutGroups) {
  machine(1000);
  EXPECT_EQ(megabytes(), 1000U);
  write("proc/self/cgroup", "0::/\n");
  EXPECT_EQ(megabytes(), 1000U);
}

TEST_F(Memory, OldKernelsSayOnlyWhatIsFree) {
  write("proc/meminfo", "MemTotal: 9999999 kB\nMemFree: 2048 kB\n");
  EXPECT_EQ(megabytes(), 2U);
}

TEST_F(Memory, WithoutAnyWordItIsModest) {
  EXPECT_EQ(megabytes(), 512U);
}

TEST_F(Memory, OfAContainerWhoseRootIsTheLimit) {
  machine(10'000);
  write("proc/self/cgroup", "0::/\n");
  write("cgroup/memory.max", bytes(600));
  write("cgroup/memory.current", bytes(250));
  write("cgroup/memory.stat", "anon 1\nfile 2\ninactive_file " + bytes(150) + "active_file 7\n");
  EXPECT_EQ(megabytes(), 500U);
}

TEST_F(Memory, TheTightestGroupAboveCounts) {
  machine(10'000);
  write("proc/self/cgroup", "0::/system.slice/tailwater.service\n");
  write("cgroup/system.slice/tailwater.service/memory.max", "max\n");
  write("cgroup/system.slice/memory.max", bytes(300));
  write("cgroup/memory.max", bytes(400));
  EXPECT_EQ(megabytes(), 300U);
  write("cgroup/system.slice/tailwater.service/memory.max", bytes(200));
  EXPECT_EQ(megabytes(), 200U);
}

TEST_F(Memory, TheLimitIsTheSameWhateverIsInUse) {
  write("proc/meminfo", "MemTotal: 8192000 kB\nMemAvailable: 1024 kB\n");
  const auto limit = [&] {
    return memory_limit({folder_.path() + "/proc", folder_.path() + "/cgroup"}) / kMegabyte;
  };
  EXPECT_EQ(limit(), 8'000U);
  write("proc/self/cgroup", "0::/\n");
  write("cgroup/memory.max", bytes(600));
  write("cgroup/memory.current", bytes(550));
  EXPECT_EQ(limit(), 600U);
}

TEST_F(Memory, ALimitAboveTheMachineIsNone) {
  machine(100);
  write("proc/self/cgroup", "0::/\n");
  write("cgroup/memory.max", bytes(600));
  EXPECT_EQ(megabytes(), 100U);
}

TEST_F(Memory, TheLegacyHierarchy) {
  machine(10'000);
  write("proc/self/cgroup", "12:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/docker/abc\n");
  write("cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(megabytes(), 10'000U);
  // Inside a container only the group itself is visible, at the top.
  write("cgroup/memory/memory.limit_in_bytes", bytes(700));
  write("cgroup/memory/memory.usage_in_bytes", bytes(100));
  EXPECT_EQ(megabytes(), 600U);
  write("cgroup/memory/docker/abc/memory.limit_in_bytes", bytes(500));
  EXPECT_EQ(megabytes(), 500U);
}

TEST_F(Memory, AGroupThatIsFullLeavesALittle) {
  machine(10'000);
  write("proc/self/cgroup", "0::/../outside\n");
  write("cgroup/memory.max", bytes(100));
  write("cgroup/memory.current", bytes(200));
  EXPECT_EQ(megabytes(), 1U);
}

TEST(MemoryHere, IsSomething) {
  EXPECT_GT(available_memory(), kMegabyte);
}

}  // namespace
}  // namespace tailwater::shell
