// Goal: what a start found is judged: each kind of loss, and each thing that comes back although it was gone,
// is noticed, and what is legal is not complained about. Method: a life up to a moment of rest; then its disk
// as it was earlier, or with something else wrong that was done by hand, with the ledger of the whole life.
#include <gtest/gtest.h>

#include <algorithm>

#include "crash_states/life.hpp"

namespace tailwater::crash_states {
namespace {

using disk_model::Disk;

class Judgement : public testing::Test {
 protected:
  Judgement() { setup.storage = small_storage(); }

  std::unique_ptr<Life> born(std::unique_ptr<Disk> disk, Ledger ledger, Now when, std::uint64_t seed) {
    auto made = std::make_unique<Life>(setup, std::move(disk), std::move(ledger), when, seed);
    made->start();
    return made;
  }
  void begin() {
    life = born(Port::fresh_disk(setup.mode), {}, {Instant{1'000'000'000}, WallTime{1'000'000}}, 1);
    life->judge(End::process_died);
  }
  log::Log& create(const std::string& topic, const log::LogConfig& config = {}, DirId dir = DirId{0}) {
    life->create(topic, config, dir);
    return named(topic);
  }
  log::Log& named(const std::string& topic) {
    for (log::Log* each : life->storage().logs()) {
      if (each->identity().topic == topic) return *each;
    }
    ADD_FAILURE() << "no " << topic;
    return *life->storage().logs()[0];
  }
  void append(log::Log& to, std::vector<std::size_t> sizes) {
    for (const std::size_t size : sizes) life->append(to, {.value_size = size});
    life->settle();
  }
  std::unique_ptr<Disk> disk_now() { return life->port().kill(random); }
  // What a start on this disk is told.
  std::string verdict(std::unique_ptr<Disk> disk, const Ledger& ledger, End end = End::power_lost) {
    EXPECT_EQ(life->failure(), "");
    const auto next = born(std::move(disk), ledger, life->now(), 2);
    next->judge(end);
    next->prove_use();
    next->prove_tidy();
    return next->failure();
  }
  std::string verdict(std::unique_ptr<Disk> disk, End end = End::power_lost) {
    return verdict(std::move(disk), life->ledger(), end);
  }
  static void expect_says(const std::string& verdict, std::string_view part) {
    EXPECT_NE(verdict.find(part), std::string::npos) << "it says: " << verdict;
  }

  crash_states::Setup setup;
  Prng random{5};
  std::unique_ptr<Life> life;
};

TEST_F(Judgement, what_is_all_there_is_right) {
  begin();
  log::Log& t = create("t");
  append(t, {10, 20, 30});
  life->set_start(t, Offset{1});
  life->remove(create("gone"));
  create("gone");
  life->settle();
  EXPECT_EQ(verdict(disk_now()), "");
}

TEST_F(Judgement, a_loss_of_what_was_acknowledged) {
  begin();
  log::Log& t = create("t");
  append(t, {10, 20});
  auto before = disk_now();
  append(t, {30});
  expect_says(verdict(std::move(before)), "t-0 has offsets 0 to 2; promised were 0 to 3");
}

TEST_F(Judgement, a_loss_of_a_log_that_was_there_at_rest) {
  begin();
  life->settle();
  auto before = disk_now();
  create("t");
  life->settle();
  expect_says(verdict(std::move(before)), "t-0 is lost");
}

TEST_F(Judgement, deleted_records_that_are_back) {
  begin();
  log::Log& t = create("t");
  append(t, {10, 20, 30});
  auto before = disk_now();
  life->set_start(t, Offset{2});
  life->settle();
  expect_says(verdict(std::move(before)), "t-0 begins at 0 again, though 2 was promised");
}

TEST_F(Judgement, records_that_retention_took_and_that_are_back) {
  begin();
  log::LogConfig config;
  config.segment_bytes = 1'000;
  config.retention_bytes = 1'500;
  log::Log& t = create("t", config);
  append(t, {900, 900, 900, 900});
  auto before = disk_now();
  life->advance(Duration::from_ms(1'500));
  life->settle();
  ASSERT_GT(t.start_offset(), Offset{0});
  EXPECT_EQ(verdict(disk_now()), "");
  expect_says(verdict(std::move(before)), "t-0 begins at 0 again");
}

TEST_F(Judgement, a_start_that_nobody_asked_for) {
  begin();
  log::Log& t = create("t");
  append(t, {10, 20, 30});
  const Ledger ledger = life->ledger();
  life->set_start(t, Offset{2});
  life->settle();
  expect_says(verdict(disk_now(), ledger), "t-0 has offsets 2 to 3; promised were 0 to 3");
}

TEST_F(Judgement, records_that_compaction_took_and_that_are_back) {
  setup.storage.flush_round_bytes = 4'096;
  begin();
  log::LogConfig config;
  config.compact = true;
  config.remove = false;
  config.segment_bytes = 1'000;
  config.min_cleanable_dirty_millionths = 0;
  append(create("t", config), {400, 400, 400, 400, 400, 400});
  create("u");
  auto before = disk_now();
  for (int wait = 0; wait < 5; ++wait) {
    life->advance(Duration::from_ms(400));
    append(named("u"), {400});  // flushes follow the journal
    life->settle();
  }
  ASSERT_GT(life->storage().compaction().rounds, 0U);
  EXPECT_EQ(verdict(disk_now()), "");
  expect_says(verdict(std::move(before)), "the record at 0 was gone and is back");
}

TEST_F(Judgement, a_log_that_was_removed_and_is_back) {
  begin();
  append(create("t"), {10});
  auto before = disk_now();
  life->remove(named("t"));
  create("t");
  life->settle();
  EXPECT_EQ(verdict(disk_now()), "");
  expect_says(verdict(std::move(before)), "t-0 is back, although its removal was over");
}

TEST_F(Judgement, two_logs_with_one_folder) {
  begin();
  create("t");
  create("t");
  life->settle();
  expect_says(verdict(disk_now()), "two logs have the folder of t");
}

TEST_F(Judgement, an_os_log_loses_an_end_to_the_power_alone_and_it_is_said) {
  setup.storage.os_ring = true;
  begin();
  log::LogConfig config;
  config.os_durable = true;
  log::Log& t = create("t", config);
  append(t, {10, 20});
  auto before = disk_now();
  append(t, {30});
  expect_says(verdict(std::make_unique<Disk>(*before), End::process_died),
              "t-0 has offsets 0 to 2; promised were 0 to 3");
  expect_says(verdict(std::make_unique<Disk>(*before)), "has lost acknowledged records, and nobody says so");
  setup.storage.boot_id = {2, 2};
  EXPECT_EQ(verdict(std::make_unique<Disk>(*before)), "");
}

TEST_F(Judgement, an_os_log_loses_nothing_before_what_is_kept) {
  setup.storage.os_ring = true;
  log::LogConfig config;
  config.os_durable = true;
  begin();
  append(create("t", config), {10, 20, 30});
  const Ledger ledger = life->ledger();
  begin();
  append(create("t", config), {10, 30});
  setup.storage.boot_id = {2, 2};
  EXPECT_EQ(verdict(disk_now()), "");
  expect_says(verdict(disk_now(), ledger), "other bytes than were appended");
}

TEST_F(Judgement, a_loss_in_one_of_two_directories) {
  setup.storage.dirs.emplace_back(1);
  begin();
  create("a");
  log::Log& b = create("b", {}, DirId{1});
  append(b, {10, 20});
  auto before = disk_now();
  append(b, {30});
  EXPECT_EQ(verdict(disk_now()), "");
  expect_says(verdict(std::move(before)), "b-0 has offsets 0 to 2; promised were 0 to 3");
}

TEST_F(Judgement, a_directory_that_is_given_up_without_need) {
  setup.storage.dirs.emplace_back(1);
  begin();
  append(create("b", {}, DirId{1}), {10});
  auto disk = disk_now();
  Buffer heads(8'192, std::byte{'x'});
  disk->files().at("1/journal/0.jnl")->damage(0, heads);
  expect_says(verdict(std::move(disk)), "directory 1 is offline: both superblocks");
}

class BrokenDir : public Judgement, public testing::WithParamInterface<Break> {};

TEST_P(BrokenDir, comes_back_with_all_that_it_had) {
  setup.storage.dirs.emplace_back(1);
  begin();
  log::Log& a = create("a");
  log::Log& b = create("b", {}, DirId{1});
  append(a, {10});
  append(b, {10});
  life->break_dir(DirId{1}, GetParam());
  append(a, {10});
  append(b, {10});
  EXPECT_TRUE(life->online(a));
  EXPECT_FALSE(life->online(b));
  EXPECT_EQ(life->ledger().at(a.id()).promised(), 2U);
  EXPECT_EQ(life->ledger().at(b.id()).promised(), 1U) << "nothing is acknowledged after an error";
  EXPECT_EQ(verdict(disk_now(), End::process_died), "");
}

INSTANTIATE_TEST_SUITE_P(Breaks, BrokenDir, testing::Values(Break::once, Break::for_good));

TEST_F(Judgement, files_that_are_left_over) {
  begin();
  append(create("t"), {10});
  auto disk = disk_now();
  const disk_model::UserId user = disk->enter();
  DiskOp op;
  op.kind = DiskOpKind::create_folder;
  op.path = "gone-0";
  disk->perform(user, op, disk->now());
  op.kind = DiskOpKind::open;
  op.file = FileId{1};
  op.path = "gone-0/00000000000000000000.log";
  op.create = true;
  disk->perform(user, op, disk->now());
  disk->leave(user);
  expect_says(verdict(std::move(disk)), "0/gone-0/00000000000000000000.log is left over");
}

}  // namespace
}  // namespace tailwater::crash_states
