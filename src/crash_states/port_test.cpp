// Goal: the port gives each disk mode its own kind of loss. Method: one file, writes in each mode.
#include "crash_states/port.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tailwater::crash_states {
namespace {

constexpr FileId kFile{1};

struct OneFile {
  explicit OneFile(Mode mode, Lie lie = Lie::none) : port(Port::fresh_disk(mode), mode, lie, 1) {
    DiskOp open;
    open.kind = DiskOpKind::open;
    open.file = kFile;
    open.path = "f";
    open.create = open.exclusive = open.durable = true;
    carry_out(std::move(open));
    DiskOp room;
    room.kind = DiskOpKind::preallocate;
    room.file = kFile;
    room.size = 2 * kDiskBlock;
    room.extend = true;
    carry_out(std::move(room));
    sync();
  }

  void submit(DiskOp op) {
    std::vector<DiskOp> ops;
    ops.push_back(std::move(op));
    port.submit(ops);
  }
  void carry_out(DiskOp op) {
    submit(std::move(op));
    EXPECT_TRUE(port.step().outcome.has_value());
  }
  void sync() {
    DiskOp op;
    op.kind = DiskOpKind::sync;
    op.file = kFile;
    carry_out(std::move(op));
  }
  DiskOp write(std::uint64_t at, bool durable) const {
    DiskOp op;
    op.kind = DiskOpKind::write;
    op.file = kFile;
    op.at = at;
    op.durable = durable;
    op.pieces.emplace_back(bytes);
    return op;
  }

  const Buffer bytes = Buffer(kDiskBlock, std::byte{'x'});
  Port port;
};

TEST(Port, a_durable_write_hardens_the_file_where_an_fdatasync_follows_it) {
  for (const Mode mode : {Mode::direct_dsync, Mode::direct_fdatasync, Mode::buffered_fdatasync}) {
    OneFile file(mode);
    file.carry_out(file.write(0, false));
    file.carry_out(file.write(kDiskBlock, true));
    Prng random(1);
    const std::size_t unsettled = file.port.lose_power(random)->unsettled().size();
    EXPECT_EQ(unsettled, mode == Mode::direct_dsync ? kDiskBlock / disk_model::kSector : 0U);
  }
}

TEST(Port, a_write_in_flight_is_cut_between_sectors_or_at_any_byte_of_the_page_cache) {
  for (const Mode mode : {Mode::direct_dsync, Mode::direct_fdatasync, Mode::buffered_fdatasync}) {
    OneFile file(mode);
    file.submit(file.write(0, true));
    Prng random(1);
    std::set<std::size_t> parts;
    for (int each = 0; each < 20; ++each) parts.insert(file.port.lose_power(random)->unsettled().size());
    const std::size_t sectors = kDiskBlock / disk_model::kSector;
    if (mode == Mode::buffered_fdatasync) {
      EXPECT_TRUE(parts.contains(sectors + 1));
    } else {
      EXPECT_EQ(parts, std::set<std::size_t>{sectors});
    }
  }
}

TEST(Port, a_process_that_dies_takes_nothing_along_that_was_done) {
  OneFile file(Mode::direct_dsync);
  file.carry_out(file.write(0, false));
  Prng random(1);
  const auto disk = file.port.kill(random);
  EXPECT_EQ(disk->files().at("0/f")->content().front(), std::byte{'x'});
}

TEST(Port, a_dropped_sync_hardens_nothing) {
  OneFile file(Mode::direct_dsync, Lie::drop_syncs);
  file.carry_out(file.write(0, false));
  file.sync();
  Prng random(1);
  EXPECT_FALSE(file.port.lose_power(random)->unsettled().empty());
}

TEST(Port, a_disk_that_breaks_fails_once_or_for_good) {
  for (const Break how : {Break::once, Break::for_good}) {
    OneFile file(Mode::direct_dsync);
    file.port.break_dir(DirId{0}, how);
    EXPECT_TRUE(file.port.is_broken(DirId{0}));
    file.submit(file.write(0, true));
    EXPECT_FALSE(file.port.step().outcome.has_value());
    file.submit(file.write(0, true));
    EXPECT_EQ(file.port.step().outcome.has_value(), how == Break::once);
    DiskOp elsewhere;
    elsewhere.kind = DiskOpKind::create_folder;
    elsewhere.dir = DirId{1};
    elsewhere.path = "d";
    file.carry_out(std::move(elsewhere));
  }
}

}  // namespace
}  // namespace tailwater::crash_states
