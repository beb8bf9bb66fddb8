// Goal: what is armed befalls the next operation of its kind, once, and is counted by itself; a power loss
// counts what it tears and what it reorders. Method: operations by hand.
#include "sim/disk.hpp"

#include <gtest/gtest.h>

#include "disk_model/file.hpp"

namespace tailwater::sim {
namespace {

class DiskTest : public testing::Test {
 protected:
  Result<std::uint64_t> carry_out(DiskOp op) {
    disk.submit(user, std::move(op));
    while (!done && agenda.step(Instant::max())) {
    }
    const DiskDone outcome = std::move(*done);
    done.reset();
    return outcome.outcome;
  }
  static DiskOp op_of(DiskOpKind kind) {
    DiskOp op;
    op.kind = kind;
    op.file = FileId{1};
    op.path = "x/file";
    return op;
  }

  Agenda agenda{1};
  Digest digest;
  FaultCounts counts;
  Disk disk{agenda, digest, &counts};
  std::optional<DiskDone> done;
  std::uint64_t user = disk.enter([this](DiskDone outcome) { done = std::move(outcome); });
};

TEST_F(DiskTest, reads_fail_once_and_each_kind_by_itself) {
  DiskOp folder = op_of(DiskOpKind::create_folder);
  folder.path = "x";
  EXPECT_TRUE(carry_out(std::move(folder)).has_value());
  DiskOp create = op_of(DiskOpKind::open);
  create.create = true;
  EXPECT_TRUE(carry_out(std::move(create)).has_value());
  EXPECT_TRUE(carry_out(op_of(DiskOpKind::close)).has_value());
  const std::pair<Fault, DiskOpKind> kinds[] = {{Fault::open_error, DiskOpKind::open},
                                                {Fault::read_error, DiskOpKind::read},
                                                {Fault::load_error, DiskOpKind::load},
                                                {Fault::list_error, DiskOpKind::list}};
  for (const auto& [fault, kind] : kinds) {
    DiskOp op = op_of(kind);
    if (kind == DiskOpKind::list) op.path = "x";
    disk.arm(fault);
    disk.disarm_writes();
    EXPECT_FALSE(carry_out(op).has_value()) << kFaultNames[static_cast<std::size_t>(fault)];
    EXPECT_TRUE(disk.has_failed());
    EXPECT_EQ(counts.of(fault), 1U);
    EXPECT_TRUE(carry_out(op).has_value()) << kFaultNames[static_cast<std::size_t>(fault)];
  }
  EXPECT_EQ(counts.total(), 4U);
  disk.leave(user);
}

TEST(KeepByChance, what_is_torn_and_what_is_reordered_is_counted) {
  using disk_model::Unsettled;
  disk_model::Losses losses;
  Prng random(1);
  const auto lose = [&](const std::vector<Unsettled>& unsettled) {
    for (int times = 0; times < 100; ++times) disk_model::keep_by_chance(unsettled, random, losses);
  };
  const Unsettled one{1, Unsettled::Kind::sector, {}};
  const Unsettled later{2, Unsettled::Kind::sector, {}};
  lose({one});
  EXPECT_EQ(losses.torn + losses.reordered, 0U);
  lose({one, one});
  EXPECT_GT(losses.torn, 0U);
  EXPECT_EQ(losses.reordered, 0U);
  losses = {};
  lose({one, later});
  EXPECT_EQ(losses.torn, 0U);
  EXPECT_GT(losses.reordered, 0U);
}

}  // namespace
}  // namespace tailwater::sim
