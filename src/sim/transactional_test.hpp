// What tests of model clients in transactions begin with: a broker of two shards, a topic, and who judges them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sim/ledger.hpp"
#include "sim/test_world.hpp"
#include "sim/transactor.hpp"
#include "sim/txn_client.hpp"
#include "sim/txn_watch.hpp"

namespace tailwater::sim {

class TransactionalTest : public testing::Test {
 protected:
  static constexpr std::int32_t kPartitions = 3;

  void SetUp() override {
    for (std::int32_t each = 0; each < kPartitions; ++each)
      tracks.push_back(ledger.add_track("t-" + std::to_string(each), Retention::keeps));
    create_topic(line, "t", kPartitions);
    make_transaction_coordinators(line);
  }
  TransactorSetup setup(std::string name, bool bumping) {
    return {.name = std::move(name), .topic = "t", .tracks = tracks, .bumping = bumping};
  }

  TestWorld world{2};
  Line line{world};
  Ledger ledger;
  std::vector<TrackNumber> tracks;
  TxnWatch watch{ledger};
};

}  // namespace tailwater::sim
