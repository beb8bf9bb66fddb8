// Goal: appends are carried out in order, each outcome is reported, and stopping carries out what was put.
// Method: the store in memory.
#include "shell/broker/store_thread.hpp"

#include <gtest/gtest.h>

#include "core/cluster/memory_metadata_store.hpp"

namespace tailwater::shell {
namespace {

TEST(StoreThread, KeepsOrderAndReports) {
  cluster::MemoryMetadataStore store;
  Log log({.sink = [](std::string_view) {}});
  std::vector<std::pair<std::uint64_t, bool>> outcomes;
  {
    StoreThread thread(store, log, [&](cluster::StoreToken token, cluster::StoreOutcome outcome) {
      outcomes.emplace_back(token.value, outcome.has_value());
    });
    std::vector<cluster::StoreAppend> appends(3);
    for (std::uint64_t index = 0; index < 3; ++index) {
      appends[index].token = cluster::StoreToken{index};
      appends[index].expected_head = cluster::MetadataVersion{index == 2 ? 7 : index};
      appends[index].batch = Buffer(1);
    }
    thread.put(std::move(appends), {});
  }
  EXPECT_EQ(outcomes, (std::vector<std::pair<std::uint64_t, bool>>{{0, true}, {1, true}, {2, false}}));
  EXPECT_EQ(store.head().value(), cluster::MetadataVersion{2});
}

}  // namespace
}  // namespace tailwater::shell
