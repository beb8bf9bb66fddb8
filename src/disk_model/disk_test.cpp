// Goal: the make-believe disk gives what base/disk.hpp promises, and takes back everything else.
// Method: over many seeds, a power loss; what may be lost is lost in some of them and kept in others, what
// was promised is kept in all.
#include "disk_model/disk.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace tailwater::disk_model {
namespace {

constexpr int kSeeds = 200;
constexpr FileId kFile{1};

struct Machine {
  explicit Machine(std::uint64_t seed, DurableWrite durable_write = DurableWrite::own_bytes)
      : random(seed), disk(durable_write) {
    folder("d");
  }

  DiskDone perform(DiskOp op) { return disk.perform(user, op, disk.now()); }
  void folder(const std::string& path) {
    DiskOp op;
    op.kind = DiskOpKind::create_folder;
    op.path = path;
    op.durable = true;
    perform(std::move(op));
  }
  DiskDone open(const std::string& path, bool durable, bool create = true) {
    DiskOp op;
    op.kind = DiskOpKind::open;
    op.file = kFile;
    op.path = path;
    op.create = create;
    op.exclusive = true;
    op.durable = durable;
    return perform(std::move(op));
  }
  DiskDone write(std::uint64_t at, char fill, bool durable) {
    bytes.assign(kDiskBlock, static_cast<std::byte>(fill));
    DiskOp room;
    room.kind = DiskOpKind::preallocate;
    room.file = kFile;
    room.at = at;
    room.size = kDiskBlock;
    perform(std::move(room));
    DiskOp op;
    op.kind = DiskOpKind::write;
    op.file = kFile;
    op.at = at;
    op.pieces.push_back(Bytes(bytes));
    op.durable = durable;
    return perform(std::move(op));
  }
  DiskDone simple(DiskOpKind kind, std::uint64_t size = 0) {
    DiskOp op;
    op.kind = kind;
    op.file = kFile;
    op.size = size;
    return perform(std::move(op));
  }
  void lose_power() {
    disk.leave(user);
    disk.lose(random);
    user = disk.enter();
  }
  // Power loss that leaves what `keeps` says of each thing that is not stable.
  template <class Keeps>
  void settle(Keeps keeps) {
    disk.leave(user);
    std::vector<bool> kept;
    for (const Unsettled& each : disk.unsettled()) kept.push_back(keeps(each));
    disk.settle(kept);
    user = disk.enter();
  }
  bool exists() const { return disk.files().contains("0/d/f"); }
  const Buffer& content() const { return disk.files().at("0/d/f")->content(); }

  Prng random;
  Disk disk;
  UserId user = disk.enter();
  Buffer bytes;
};

// Who made the file may have died before its name was stable.
TEST(Disk, a_durable_open_keeps_the_name_of_a_file_that_was_there) {
  for (const bool durable : {false, true}) {
    Machine machine(1);
    machine.open("d/f", false);
    machine.disk.leave(machine.user);
    machine.user = machine.disk.enter();
    ASSERT_TRUE(machine.open("d/f", durable, false).outcome.has_value());
    machine.settle([](const Unsettled&) { return false; });
    EXPECT_EQ(machine.exists(), durable);
  }
}

// Who moved it there may have died before that was stable: a durable rename takes it along.
TEST(Disk, a_durable_rename_keeps_what_was_moved_into_the_folder) {
  for (const bool durable : {false, true}) {
    Machine machine(1);
    machine.folder("else");
    machine.open("d/f", true);
    machine.simple(DiskOpKind::close);
    const auto rename = [&](const std::string& from, const std::string& to, bool stable) {
      DiskOp op;
      op.kind = DiskOpKind::rename;
      op.path = from;
      op.path2 = to;
      op.durable = stable;
      ASSERT_TRUE(machine.perform(std::move(op)).outcome.has_value());
    };
    rename("d/f", "else/f", false);
    rename("else/f", "else/g", durable);
    machine.settle([](const Unsettled&) { return false; });
    EXPECT_EQ(machine.disk.files().contains("0/else/g"), durable);
    EXPECT_EQ(machine.disk.files().contains("0/d/f"), !durable);
  }
}

TEST(Disk, what_is_durable_survives) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    Machine machine(static_cast<std::uint64_t>(seed));
    machine.open("d/f", true);
    machine.write(0, 'a', true);
    machine.write(kDiskBlock, 'b', false);
    machine.simple(DiskOpKind::sync);
    machine.lose_power();
    ASSERT_TRUE(machine.exists());
    ASSERT_EQ(machine.content().size(), 2 * kDiskBlock);
    EXPECT_EQ(machine.content().front(), std::byte{'a'});
    EXPECT_EQ(machine.content().back(), std::byte{'b'});
    EXPECT_TRUE(machine.disk.complaints().empty());
  }
}

TEST(Disk, what_is_not_may_be_lost_in_part) {
  int kept = 0, lost = 0, torn = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Machine machine(static_cast<std::uint64_t>(seed));
    machine.open("d/f", true);
    machine.write(0, 'a', true);
    machine.write(0, 'b', false);
    machine.lose_power();
    ASSERT_EQ(machine.content().size(), kDiskBlock);
    const auto news = std::ranges::count(machine.content(), std::byte{'b'});
    EXPECT_EQ(news % static_cast<std::ptrdiff_t>(kSector), 0) << "a sector is written whole or not at all";
    ++(news == 0 ? lost : news == static_cast<std::ptrdiff_t>(kDiskBlock) ? kept : torn);
  }
  EXPECT_GT(kept, 0);
  EXPECT_GT(lost, 0);
  EXPECT_GT(torn, 0);
}

TEST(Disk, a_name_may_be_lost_until_it_is_synced) {
  int kept = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Machine machine(static_cast<std::uint64_t>(seed));
    machine.open("d/f", false);
    machine.write(0, 'a', true);
    machine.lose_power();
    kept += machine.exists() ? 1 : 0;
    Machine synced(static_cast<std::uint64_t>(seed));
    synced.open("d/f", false);
    synced.simple(DiskOpKind::sync_all);
    synced.lose_power();
    EXPECT_TRUE(synced.exists());
  }
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, kSeeds);
}

TEST(Disk, a_size_may_come_back_with_what_was_cut) {
  int back = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Machine machine(static_cast<std::uint64_t>(seed));
    machine.open("d/f", true);
    machine.write(0, 'a', true);
    machine.simple(DiskOpKind::truncate, 100);
    machine.lose_power();
    if (machine.content().size() == 100) continue;
    ++back;
    ASSERT_EQ(machine.content().size(), kDiskBlock);
    EXPECT_EQ(machine.content().back(), std::byte{'a'});
  }
  EXPECT_GT(back, 0);
  EXPECT_LT(back, kSeeds);
}

TEST(Disk, old_bytes_come_back_unless_zeros_were_synced) {
  int back = 0, torn = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Machine machine(static_cast<std::uint64_t>(seed));
    machine.open("d/f", true);
    machine.write(0, 'a', true);
    machine.simple(DiskOpKind::zero, 2 * kDiskBlock);
    EXPECT_EQ(machine.content(), Buffer(2 * kDiskBlock));
    const bool synced = seed % 2 == 0;
    if (synced) machine.simple(DiskOpKind::sync);
    machine.lose_power();
    if (synced) {
      EXPECT_EQ(machine.content(), Buffer(2 * kDiskBlock));
      continue;
    }
    const auto old = std::ranges::count(machine.content(), std::byte{'a'});
    back += old > 0 ? 1 : 0;
    torn += old > 0 && old < static_cast<std::ptrdiff_t>(kDiskBlock) ? 1 : 0;
  }
  EXPECT_GT(back, 0);
  EXPECT_GT(torn, 0);
}

TEST(Disk, a_file_that_was_set_aside_comes_back_blank_or_there_is_a_complaint) {
  enum class Done : std::uint8_t { nothing, zeroed, zeroed_and_synced };
  for (const Done done : {Done::nothing, Done::zeroed, Done::zeroed_and_synced}) {
    Machine machine(1);
    machine.folder("recycled");
    machine.open("d/f", true);
    machine.write(0, 'a', true);
    const auto rename = [&](const char* from, const char* to) {
      DiskOp op;
      op.kind = DiskOpKind::rename;
      op.path = from;
      op.path2 = to;
      op.durable = true;
      EXPECT_TRUE(machine.perform(std::move(op)).outcome.has_value());
    };
    rename("d/f", "recycled/f");
    if (done != Done::nothing) machine.simple(DiskOpKind::zero, kDiskBlock);
    if (done == Done::zeroed_and_synced) machine.simple(DiskOpKind::sync);
    rename("recycled/f", "recycled/g");
    EXPECT_TRUE(machine.disk.complaints().empty());
    rename("recycled/g", "d/g");
    EXPECT_EQ(machine.disk.complaints().size(), done == Done::zeroed_and_synced ? 0U : 1U);
  }
}

TEST(Disk, after_a_failed_sync_no_later_one_helps) {
  int lost = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Machine machine(static_cast<std::uint64_t>(seed));
    machine.open("d/f", true);
    machine.write(0, 'a', true);
    machine.write(0, 'b', false);
    DiskOp sync;
    sync.kind = DiskOpKind::sync;
    sync.file = kFile;
    machine.disk.refuse(machine.user, sync, {Errc::storage, "broken"}, machine.random);
    EXPECT_TRUE(machine.simple(DiskOpKind::sync).outcome.has_value());
    machine.lose_power();
    lost += machine.content().front() == std::byte{'a'} ? 1 : 0;
  }
  EXPECT_GT(lost, 0);
}

TEST(Disk, a_failed_sync_of_all_is_of_one_directory) {
  Machine machine(1);
  machine.open("d/f", true);
  machine.write(0, 'a', true);
  machine.write(0, 'b', false);
  const UserId other = machine.disk.enter();
  DiskOp sync;
  sync.kind = DiskOpKind::sync_all;
  sync.dir = DirId{1};
  machine.disk.refuse(other, sync, {Errc::storage, "broken"}, machine.random);
  EXPECT_TRUE(machine.simple(DiskOpKind::sync).outcome.has_value());
  machine.disk.leave(other);
  machine.lose_power();
  EXPECT_EQ(machine.content().front(), std::byte{'b'});

  machine.open("d/f", true);
  machine.write(0, 'c', false);
  const UserId third = machine.disk.enter();
  sync.dir = DirId{0};
  machine.disk.refuse(third, sync, {Errc::storage, "broken"}, machine.random);
  EXPECT_FALSE(machine.simple(DiskOpKind::sync).outcome.has_value()) << "others are told";
}

TEST(Disk, a_sync_hardens_what_was_done_before_it_was_asked_for) {
  int lost = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Machine machine(static_cast<std::uint64_t>(seed));
    machine.open("d/f", true);
    machine.write(0, 'a', true);
    const Sequence asked = machine.disk.now();
    machine.write(0, 'b', false);
    DiskOp sync;
    sync.kind = DiskOpKind::sync;
    sync.file = kFile;
    machine.disk.perform(machine.user, sync, asked);
    machine.lose_power();
    lost += machine.content().front() == std::byte{'a'} ? 1 : 0;
  }
  EXPECT_GT(lost, 0);
}

TEST(Disk, a_folder_that_is_not_there_is_not_found) {
  Machine machine(1);
  const auto list = [&](const std::string& path) {
    DiskOp op;
    op.kind = DiskOpKind::list;
    op.path = path;
    return machine.perform(std::move(op));
  };
  EXPECT_TRUE(list("d").outcome.has_value());
  EXPECT_TRUE(list("").outcome.has_value());
  const DiskDone absent = list("e");
  ASSERT_FALSE(absent.outcome.has_value());
  EXPECT_EQ(absent.outcome.error().code, Errc::not_found);
}

TEST(Disk, a_durable_write_hardens_its_own_bytes_or_the_whole_file) {
  for (const DurableWrite kind : {DurableWrite::own_bytes, DurableWrite::whole_file}) {
    Machine machine(1, kind);
    machine.open("d/f", true);
    machine.write(0, 'a', false);
    machine.write(kDiskBlock, 'b', true);
    machine.settle([](const Unsettled&) { return false; });
    EXPECT_EQ(machine.content().front(), kind == DurableWrite::whole_file ? std::byte{'a'} : std::byte{0});
    EXPECT_EQ(machine.content().back(), std::byte{'b'});
  }
}

TEST(Disk, a_write_that_is_kept_outlives_a_truncation_that_is_lost) {
  Machine machine(1);
  machine.open("d/f", true);
  machine.write(0, 'a', true);
  machine.write(kDiskBlock, 'a', true);
  machine.simple(DiskOpKind::truncate, kDiskBlock);
  machine.write(kDiskBlock, 'b', false);
  machine.settle([](const Unsettled& each) { return each.kind != Unsettled::Kind::size; });
  ASSERT_EQ(machine.content().size(), 2 * kDiskBlock);
  EXPECT_EQ(machine.content().back(), std::byte{'b'});
}

TEST(Disk, sectors_cut_off_by_a_stable_truncation_do_not_come_back) {
  Machine machine(1);
  machine.open("d/f", true);
  machine.write(0, 'a', true);
  machine.write(kDiskBlock, 'b', false);
  machine.simple(DiskOpKind::truncate, kDiskBlock);
  machine.write(kDiskBlock, 'c', true);
  machine.settle([](const Unsettled&) { return true; });
  EXPECT_EQ(machine.content().back(), std::byte{'c'});
}

TEST(Disk, without_its_folder_a_file_is_not_found) {
  Machine machine(1);
  DiskOp folder;
  folder.kind = DiskOpKind::create_folder;
  folder.path = "e";
  machine.perform(std::move(folder));
  machine.open("e/f", false);
  int first = 0;
  machine.settle([&](const Unsettled&) { return first++ > 0; });
  EXPECT_FALSE(machine.disk.files().contains("0/e/f"));
}

TEST(Disk, a_folder_is_removed_name_by_name) {
  for (const bool kept : {false, true}) {
    Machine machine(1);
    machine.open("d/f", true);
    DiskOp remove;
    remove.kind = DiskOpKind::remove;
    remove.path = "d";
    machine.disk.perform_in_part(machine.user, remove);
    EXPECT_EQ(machine.disk.unsettled().size(), 2U) << "the file and the folder";
    machine.settle([&](const Unsettled&) { return kept; });
    EXPECT_EQ(machine.exists(), !kept);
  }
}

TEST(Disk, a_write_in_flight_may_be_cut_inside_a_sector) {
  Machine machine(1);
  machine.open("d/f", true);
  machine.write(0, 'a', true);
  const Buffer bytes(kDiskBlock, std::byte{'b'});
  DiskOp write;
  write.kind = DiskOpKind::write;
  write.file = kFile;
  write.pieces.emplace_back(bytes);
  machine.disk.perform_in_part(machine.user, write, kSector + 100);
  int part = 0;
  machine.settle([&](const Unsettled&) { return part++ < 2; });
  EXPECT_EQ(std::ranges::count(machine.content(), std::byte{'b'}), static_cast<int>(kSector) + 100);
}

TEST(Disk, a_name_that_is_opened_as_durable_is_stable_though_it_was_there) {
  Machine machine(1);
  machine.open("d/f", false);
  machine.simple(DiskOpKind::close);
  machine.open("d/f", true);
  machine.settle([](const Unsettled&) { return false; });
  EXPECT_TRUE(machine.exists());
}

TEST(Disk, a_copy_goes_its_own_way) {
  Machine machine(1);
  machine.open("d/f", true);
  machine.write(0, 'a', false);
  Disk copy(machine.disk);
  copy.leave(machine.user);
  copy.settle(std::vector<bool>(copy.unsettled().size(), false));
  EXPECT_TRUE(copy.files().at("0/d/f")->content().empty());
  EXPECT_EQ(machine.content().front(), std::byte{'a'});
  EXPECT_TRUE(machine.simple(DiskOpKind::sync).outcome.has_value());
  machine.settle([](const Unsettled&) { return false; });
  EXPECT_EQ(machine.content().front(), std::byte{'a'});
}

TEST(Disk, damage_is_mended_unless_somebody_wrote_there) {
  Machine machine(1);
  machine.open("d/f", true);
  machine.write(0, 'a', true);
  File& file = *machine.disk.files().at("0/d/f");
  const Buffer wrong(3, std::byte{'x'});
  ASSERT_TRUE(file.settled(10, 3));
  file.damage(10, wrong);
  file.damage(kSector, wrong);
  EXPECT_EQ(file.content()[11], std::byte{'x'});
  EXPECT_EQ(file.stable_content()[11], std::byte{'x'});
  EXPECT_FALSE(file.settled(0, 2 * kDiskBlock)) << "beyond its end";
  // Written anew, and not stable yet: a power loss would bring the damage back.
  machine.write(0, 'b', false);
  EXPECT_EQ(file.content()[11], std::byte{'b'});
  EXPECT_FALSE(file.settled(10, 3));
  EXPECT_TRUE(file.damaged());
  machine.simple(DiskOpKind::sync);
  EXPECT_FALSE(file.damaged());
  file.damage(20, wrong);
  file.mend();
  EXPECT_FALSE(file.damaged());
  EXPECT_EQ(file.content(), Buffer(kDiskBlock, std::byte{'b'}));
  EXPECT_EQ(file.stable_content(), file.content());
}

TEST(Disk, what_is_unsettled_says_in_which_directory) {
  Machine machine(1);
  machine.open("f", false);
  DiskOp other;
  other.kind = DiskOpKind::create_folder;
  other.dir = DirId{12};
  other.path = "g";
  machine.perform(other);
  other.kind = DiskOpKind::open;
  other.file = FileId{2};
  other.path = "g/f";
  other.create = other.exclusive = true;
  machine.perform(other);
  DiskOp size;
  size.kind = DiskOpKind::preallocate;
  size.file = FileId{2};
  size.dir = DirId{12};
  size.size = 5;
  size.extend = true;
  machine.perform(size);
  std::map<std::uint32_t, int> things;
  for (const Unsettled& each : machine.disk.unsettled()) ++things[each.dir.value];
  EXPECT_EQ(things, (std::map<std::uint32_t, int>{{0, 1}, {12, 3}})) << "a name; a folder, a name, a size";
}

TEST(Disk, names_are_no_longer_than_file_systems_take) {
  Machine machine(1);
  const std::string longest(255, 'n');
  EXPECT_TRUE(machine.open("d/" + longest, true).outcome.has_value());
  DiskOp rename;
  rename.kind = DiskOpKind::rename;
  rename.path = "d/" + longest;
  rename.path2 = "d/" + longest + "n";
  rename.durable = true;
  const DiskDone refused = machine.perform(rename);
  ASSERT_FALSE(refused.outcome.has_value());
  EXPECT_EQ(refused.outcome.error().code, Errc::storage);
}

TEST(Disk, misuse_is_complained_about) {
  Machine machine(1);
  machine.open("elsewhere/f", true);
  EXPECT_EQ(machine.disk.complaints().size(), 1U) << "a file in a folder that was never made";
  DiskOp other;
  other.kind = DiskOpKind::open;
  other.file = FileId{2};
  other.path = "elsewhere/f";
  other.exclusive = true;
  const UserId second = machine.disk.enter();
  const DiskDone refused = machine.disk.perform(second, other, machine.disk.now());
  ASSERT_FALSE(refused.outcome.has_value());
  EXPECT_EQ(refused.outcome.error().code, Errc::busy);
}

}  // namespace
}  // namespace tailwater::disk_model
