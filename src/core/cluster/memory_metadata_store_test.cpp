// Goal: the store in memory keeps the contract of all stores, and fails when told to. Method: the contract's
// suite; each call once under a failure.
#include "core/cluster/memory_metadata_store.hpp"

#include <gtest/gtest.h>

#include "core/cluster/metadata_store_contract.hpp"

namespace tailwater::cluster {
namespace {

struct MemoryStores {
  static constexpr bool kDurable = false;
  std::unique_ptr<MetadataStore> open() { return std::make_unique<MemoryMetadataStore>(); }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, MetadataStoreContract, MemoryStores);

TEST(MemoryMetadataStore, FailsWhenToldTo) {
  MemoryMetadataStore store;
  const Error full{Errc::out_of_space, "full"};
  store.fail_with(full);
  EXPECT_EQ(store.head().error(), full);
  EXPECT_EQ(store.append(MetadataVersion{0}, {}).error(), full);
  EXPECT_EQ(store.read(MetadataVersion{1}, 1).error(), full);
  EXPECT_EQ(store.put_snapshot(MetadataVersion{0}, {}).error(), full);
  EXPECT_EQ(store.get_snapshot().error(), full);
  EXPECT_EQ(store.register_broker({}).error(), full);
  EXPECT_EQ(store.expire_broker(BrokerId{1}, 1).error(), full);
  EXPECT_EQ(store.registrations().error(), full);
  store.fail_with(std::nullopt);
  EXPECT_EQ(store.head(), MetadataVersion{0});
}

}  // namespace
}  // namespace tailwater::cluster
