// Goal: only the topic's own files leave the page cache. Method: a folder like a broker's.
#include "programs/load/eviction.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/temporary_folder.hpp"

namespace tailwater::load {
namespace {

namespace fs = std::filesystem;

class EvictionTest : public testing::Test {
 protected:
  void make(const std::string& folder) {
    fs::create_directories(root_ / folder);
    std::ofstream(root_ / folder / "00000000000000000000.log") << "bytes";
  }
  TemporaryFolder folder_;
  fs::path root_ = folder_.path();
};

TEST_F(EvictionTest, FindsThePartitionsOfTheTopicAndNoOthers) {
  for (const char* folder :
       {"data/load-1-0", "data/load-1-11", "data/load-1-hot-0", "data/load-12-0", "data/load-1-"})
    make(folder);
  EXPECT_EQ(evict(root_, "load-1"), 2);
  EXPECT_EQ(evict(root_ / "nowhere", "load-1"), 0);
}

TEST_F(EvictionTest, EndsAlsoWhenNobodyEverWentRound) {
  std::atomic<std::uint32_t> rounds = 0;
  {
    const Eviction eviction(root_, "load-1", rounds);
  }
  {
    const Eviction eviction("", "load-1", rounds);
  }
  EXPECT_EQ(rounds, 2);
}

}  // namespace
}  // namespace tailwater::load
