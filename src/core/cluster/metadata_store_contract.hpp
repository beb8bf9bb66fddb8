// The suite that every adapter of MetadataStore passes. Included by tests only; each adapter's test says:
//
//   struct MyStores {                                        makes stores for one test
//     std::unique_ptr<MetadataStore> open();                 on the same place each time
//     static constexpr bool kDurable = true;                 whether open() finds what an earlier store wrote
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(Mine, MetadataStoreContract, MyStores);
//
// Goal: callers can rely on what metadata_store.hpp promises, whatever the adapter. Method: each promise with
// a few calls.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/cluster/metadata_store.hpp"

namespace tailwater::cluster {

template <class Stores>
class MetadataStoreContract : public testing::Test {
 protected:
  static Buffer bytes(std::string_view text) {
    const Bytes view = as_bytes(text);
    return {view.begin(), view.end()};
  }
  static std::string text(const Buffer& buffer) { return std::string(as_text(buffer)); }

  // Appends "1", "2", ... so that each entry says its number.
  static void append_numbers(MetadataStore& store, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t number = from; number <= to; ++number) {
      const auto version = store.append(MetadataVersion{number - 1}, as_bytes(std::to_string(number)));
      ASSERT_TRUE(version) << version.error().message;
      ASSERT_EQ(*version, MetadataVersion{number});
    }
  }
  static std::string read_all(MetadataStore& store, std::uint64_t first, std::size_t entries_max = 100) {
    const auto entries = store.read(MetadataVersion{first}, entries_max);
    if (!entries) return "error " + std::string(to_string(entries.error().code));
    std::string all;
    for (const StoreEntry& entry : *entries) {
      EXPECT_EQ(std::to_string(entry.version.value), text(entry.batch));
      all += text(entry.batch) + " ";
    }
    return all;
  }
  static Registration registration(std::int32_t broker) {
    return {BrokerId{broker}, -1, Uuid{1, 2}, "rack", {{"PLAINTEXT", "host", 9092, 0}, {"SSL", "::1", 1, 1}},
            {Uuid{3, 4}}};
  }

  Stores stores_;
  std::unique_ptr<MetadataStore> store_ = stores_.open();
};

TYPED_TEST_SUITE_P(MetadataStoreContract);

TYPED_TEST_P(MetadataStoreContract, ANewStoreIsEmpty) {
  EXPECT_EQ(this->store_->head(), MetadataVersion{0});
  EXPECT_EQ(this->read_all(*this->store_, 1), "");
  const auto snapshot = this->store_->get_snapshot();
  ASSERT_TRUE(snapshot);
  EXPECT_FALSE(snapshot->has_value());
  EXPECT_TRUE(this->store_->registrations()->empty());
}

TYPED_TEST_P(MetadataStoreContract, EntriesComeBackInOrder) {
  this->append_numbers(*this->store_, 1, 12);
  EXPECT_EQ(this->store_->head(), MetadataVersion{12});
  EXPECT_EQ(this->read_all(*this->store_, 1), "1 2 3 4 5 6 7 8 9 10 11 12 ");
  EXPECT_EQ(this->read_all(*this->store_, 9), "9 10 11 12 ");
  EXPECT_EQ(this->read_all(*this->store_, 4, 3), "4 5 6 ");
  EXPECT_EQ(this->read_all(*this->store_, 13), "");
  EXPECT_EQ(this->read_all(*this->store_, 99), "");
}

TYPED_TEST_P(MetadataStoreContract, AnAppendThatExpectsAnotherHeadChangesNothing) {
  this->append_numbers(*this->store_, 1, 3);
  for (const std::uint64_t wrong : {0, 1, 2, 4, 100}) {
    const auto refused = this->store_->append(MetadataVersion{wrong}, as_bytes("x"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::already_exists);
  }
  EXPECT_EQ(this->read_all(*this->store_, 1), "1 2 3 ");
  this->append_numbers(*this->store_, 4, 4);
}

TYPED_TEST_P(MetadataStoreContract, TheLargestEntryFitsAndALargerOneIsRefused) {
  const Buffer largest(kEntryBytesMax, std::byte{0x5a});
  ASSERT_TRUE(this->store_->append(MetadataVersion{0}, largest));
  EXPECT_EQ(this->store_->read(MetadataVersion{1}, 1)->front().batch, largest);
  const Buffer larger(kEntryBytesMax + 1);
  EXPECT_EQ(this->store_->append(MetadataVersion{1}, larger).error().code, Errc::too_large);
  EXPECT_EQ(this->store_->put_snapshot(MetadataVersion{1}, {larger}).error().code, Errc::too_large);
  EXPECT_EQ(this->store_->head(), MetadataVersion{1});
}

TYPED_TEST_P(MetadataStoreContract, ASnapshotReplacesTheEntriesBelowIt) {
  this->append_numbers(*this->store_, 1, 10);
  const std::vector<Buffer> chunks{this->bytes("a"), Buffer(kEntryBytesMax, std::byte{1}), this->bytes("")};
  ASSERT_TRUE(this->store_->put_snapshot(MetadataVersion{7}, chunks));
  const auto snapshot = this->store_->get_snapshot();
  ASSERT_TRUE(snapshot && *snapshot);
  EXPECT_EQ((*snapshot)->version, MetadataVersion{7});
  EXPECT_EQ((*snapshot)->chunks, chunks);
  EXPECT_EQ(this->read_all(*this->store_, 8), "8 9 10 ");
  EXPECT_EQ(this->read_all(*this->store_, 1), "error not found");
  EXPECT_EQ(this->read_all(*this->store_, 7), "error not found");
  EXPECT_EQ(this->store_->head(), MetadataVersion{10});
  this->append_numbers(*this->store_, 11, 11);
}

TYPED_TEST_P(MetadataStoreContract, AnOlderSnapshotDoesNotReplaceANewerOne) {
  this->append_numbers(*this->store_, 1, 5);
  ASSERT_TRUE(this->store_->put_snapshot(MetadataVersion{4}, {this->bytes("new")}));
  ASSERT_TRUE(this->store_->put_snapshot(MetadataVersion{3}, {this->bytes("old")}));
  ASSERT_TRUE(this->store_->put_snapshot(MetadataVersion{4}, {this->bytes("same")}));
  EXPECT_EQ(this->text((*this->store_->get_snapshot())->chunks.at(0)), "new");
  ASSERT_TRUE(this->store_->put_snapshot(MetadataVersion{5}, {this->bytes("newest")}));
  EXPECT_EQ(this->text((*this->store_->get_snapshot())->chunks.at(0)), "newest");
  EXPECT_EQ((*this->store_->get_snapshot())->chunks.size(), 1u);
}

TYPED_TEST_P(MetadataStoreContract, ASnapshotOfTheWholeChangelogKeepsTheHead) {
  this->append_numbers(*this->store_, 1, 5);
  ASSERT_TRUE(this->store_->put_snapshot(MetadataVersion{5}, {this->bytes("all")}));
  EXPECT_EQ(this->store_->head(), MetadataVersion{5});
  EXPECT_EQ(this->read_all(*this->store_, 6), "");
  EXPECT_EQ(this->store_->append(MetadataVersion{0}, as_bytes("x")).error().code, Errc::already_exists);
  this->append_numbers(*this->store_, 6, 7);
  EXPECT_EQ(this->read_all(*this->store_, 6), "6 7 ");
}

TYPED_TEST_P(MetadataStoreContract, TheWatcherHearsOfTheNewestHead) {
  MetadataVersion heard;
  this->store_->watch_head([&](MetadataVersion head) { heard = head; });
  this->append_numbers(*this->store_, 1, 3);
  EXPECT_EQ(heard, MetadataVersion{3});
  this->store_->watch_head({});
  this->append_numbers(*this->store_, 4, 4);
  EXPECT_EQ(heard, MetadataVersion{3});
}

TYPED_TEST_P(MetadataStoreContract, EachRegistrationOfABrokerHasAGreaterEpoch) {
  const auto first = this->store_->register_broker(this->registration(2));
  ASSERT_TRUE(first);
  const auto second = this->store_->register_broker(this->registration(2));
  ASSERT_TRUE(second);
  EXPECT_GT(*second, *first);
  ASSERT_TRUE(this->store_->register_broker(this->registration(1)));
  const auto all = this->store_->registrations();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->at(0).broker, BrokerId{1});
  Registration expected = this->registration(2);
  expected.epoch = *second;
  EXPECT_EQ(all->at(1), expected);
}

TYPED_TEST_P(MetadataStoreContract, OnlyThePresentEpochExpires) {
  const auto first = this->store_->register_broker(this->registration(1));
  const auto second = this->store_->register_broker(this->registration(1));
  ASSERT_TRUE(this->store_->expire_broker(BrokerId{1}, *first));
  ASSERT_TRUE(this->store_->expire_broker(BrokerId{9}, 1));
  EXPECT_EQ(this->store_->registrations()->size(), 1u);
  ASSERT_TRUE(this->store_->expire_broker(BrokerId{1}, *second));
  EXPECT_TRUE(this->store_->registrations()->empty());
  const auto third = this->store_->register_broker(this->registration(1));
  EXPECT_GT(*third, *second);
}

TYPED_TEST_P(MetadataStoreContract, WhatWasStoredIsThereAfterReopening) {
  this->append_numbers(*this->store_, 1, 6);
  ASSERT_TRUE(this->store_->put_snapshot(MetadataVersion{2}, {this->bytes("two")}));
  const auto epoch = this->store_->register_broker(this->registration(1));
  if (!TypeParam::kDurable) return;
  this->store_.reset();
  this->store_ = this->stores_.open();
  EXPECT_EQ(this->store_->head(), MetadataVersion{6});
  EXPECT_EQ(this->read_all(*this->store_, 3), "3 4 5 6 ");
  EXPECT_EQ(this->text((*this->store_->get_snapshot())->chunks.at(0)), "two");
  const auto again = this->store_->register_broker(this->registration(1));
  EXPECT_GT(*again, *epoch);
}

REGISTER_TYPED_TEST_SUITE_P(MetadataStoreContract, ANewStoreIsEmpty, EntriesComeBackInOrder,
                            AnAppendThatExpectsAnotherHeadChangesNothing,
                            TheLargestEntryFitsAndALargerOneIsRefused, ASnapshotReplacesTheEntriesBelowIt,
                            AnOlderSnapshotDoesNotReplaceANewerOne, ASnapshotOfTheWholeChangelogKeepsTheHead,
                            TheWatcherHearsOfTheNewestHead, EachRegistrationOfABrokerHasAGreaterEpoch,
                            OnlyThePresentEpochExpires, WhatWasStoredIsThereAfterReopening);

}  // namespace tailwater::cluster
