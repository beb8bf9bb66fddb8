// Goal: a compacted log keeps what it must through every step of compaction, in its files and across
// restarts, and nothing else; compaction begins when the settings say so. Method: small scripts on a disk
// that forgets what was not synced (compaction_test_world.hpp), and looks at plans over made-up logs.
#include "core/log/compaction.hpp"

#include <gtest/gtest.h>

#include "core/log/compaction_test_world.hpp"
#include "core/log/log_state.hpp"

namespace tailwater::log {
namespace {

std::string value_of(int number) {
  return "value " + std::to_string(number) + std::string(60, '.');
}

void fill(KeyedWorld& world, int records, int keys) {
  for (int number = 0; number < records; ++number) {
    ASSERT_TRUE(world.append_one("key " + std::to_string(number % keys), value_of(number)));
    if (number % 10 == 0) world.pump();
  }
  world.pump();
}

TEST(Compaction, leaves_one_record_a_key_in_the_sealed_segments) {
  KeyedWorld world(1);
  world.start();
  fill(world, 500, 7);
  const std::uint64_t before = world.log().size_bytes();
  world.compact();
  world.check(Offset{0});
  EXPECT_LT(world.log().size_bytes(), before / 4);
  EXPECT_EQ(world.log().end_offset(), Offset{500});
  const CompactionStats& stats = world.storage->compaction();
  EXPECT_GE(stats.rounds, 1U);
  EXPECT_LT(stats.bytes_after, stats.bytes_before);
  EXPECT_EQ(world.paths_with(".cleaned"), std::vector<std::string>{});
  EXPECT_TRUE(world.faults.empty());
  // The old files go after file.delete.delay.ms.
  world.advance(Duration::from_ms(61'000));
  world.pump();
  EXPECT_EQ(world.paths_with(".log").size(), 2U);
  world.check(Offset{0});
}

TEST(Compaction, a_log_that_shall_stay_short_does_although_its_segments_may_be_large) {
  for (const bool shall : {false, true}) {
    KeyedWorld world(9);
    world.config.segment_bytes = 1 << 20;
    world.config.min_cleanable_dirty_millionths = 500'000;
    world.config.short_from_bytes = shall ? 2'000 : 0;
    world.start();
    std::uint64_t most = 0;
    for (int round = 0; round < 20; ++round) {
      fill(world, 200, 7);
      world.compact();
      most = std::max(most, world.log().size_bytes());
    }
    world.check(Offset{0});
    EXPECT_EQ(world.log().end_offset(), Offset{4'000});
    if (shall) {
      EXPECT_LT(most, 6'000U) << "one value a key, what is in the active segment, and little more";
    } else {
      EXPECT_GT(most, 400'000U) << "nothing but the active segment";
    }
    for (const bool power_lost : {false, true}) {
      world.end(power_lost);
      world.start();
      world.check(Offset{0});
      EXPECT_LE(world.log().size_bytes(), most);
    }
  }
}

TEST(Compaction, what_ended_is_compacted_although_the_journal_is_quiet) {
  KeyedWorld world(13);
  world.options.ring_bytes_start = world.options.ring_bytes_max = 32 << 20;
  world.start();
  fill(world, 300, 5);
  const std::uint64_t before = world.log().size_bytes();
  world.compact();
  EXPECT_LT(world.log().size_bytes(), before / 4);
  world.check(Offset{0});
}

TEST(Compaction, survives_restarts_of_every_kind) {
  KeyedWorld world(2);
  world.start();
  fill(world, 300, 5);
  world.compact();
  const std::uint64_t size = world.log().size_bytes();
  for (int round = 0; round < 3; ++round) {
    if (round == 2) {
      world.stop();
    } else {
      world.end(round == 0);
    }
    world.start();
    EXPECT_EQ(world.log().size_bytes(), size);
    for (std::int64_t from = 0; from < 300; from += 41) world.check(Offset{from});
  }
}

TEST(Compaction, a_reader_keeps_the_bytes_that_it_holds) {
  KeyedWorld world(3);
  world.options.memory_bytes = 4 << 20;
  world.start();
  fill(world, 300, 5);
  world.end(true);
  world.start();
  const Buffer before = world.read_all(Offset{0}, Offset{300});
  std::vector<Bytes> pieces;
  const ReadPlan plan =
      world.storage->plan_read(world.log(), {Offset{0}, 1 << 20, Offset{300}, true}, pieces);
  ASSERT_EQ(plan.kind, ReadPlan::Kind::hot);
  world.compact();
  Buffer held;
  for (const Bytes piece : pieces) held.insert(held.end(), piece.begin(), piece.end());
  EXPECT_TRUE(std::equal(held.begin(), held.end(), before.begin()));
  world.storage->unpin(plan.pin);
  world.check(Offset{0});
}

TEST(Compaction, groups_neighbours_up_to_a_segment) {
  KeyedWorld world(4);
  world.start();
  fill(world, 1'000, 100);
  world.compact();
  world.advance(Duration::from_ms(61'000));
  world.pump();
  // 100 keys of about 150 bytes: four segments or five, and the active one.
  EXPECT_LE(world.paths_with(".log").size(), 7U);
  for (const std::string& path : world.paths_with(".log")) {
    EXPECT_LE(world.disk.content(path).size(), 2 * world.config.segment_bytes) << path;
  }
  world.check(Offset{0});
}

TEST(Compaction, a_segment_of_which_nothing_stays_has_no_file) {
  KeyedWorld world(5);
  world.config.delete_retention_ms = 0;
  world.start();
  for (int number = 0; number < 100; ++number) ASSERT_TRUE(world.append_one("gone", value_of(number)));
  ASSERT_TRUE(world.append_one("gone", std::nullopt));
  fill(world, 200, 3);
  world.compact();
  fill(world, 60, 3);
  world.compact();
  world.check(Offset{0});
  const auto newest = world.newest(Offset{0});
  EXPECT_FALSE(newest.at("gone").second.has_value());
  const Buffer left = world.read_all(Offset{0}, world.log().end_offset());
  EXPECT_EQ(as_text(left).find("gone"), std::string_view::npos);
  world.end(true);
  world.start();
  world.check(Offset{0});
}

TEST(Compaction, a_small_map_takes_several_rounds) {
  KeyedWorld world(6);
  world.options.compaction_map_bytes = 1;
  world.start();
  for (int number = 0; number < 4'000; ++number) {
    ASSERT_TRUE(world.append_one("key " + std::to_string(number % 3'000), "v"));
    if (number % 50 == 0) world.pump();
  }
  world.pump();
  world.compact();
  EXPECT_GE(world.storage->compaction().rounds, 3U);
  world.check(Offset{0});
}

TEST(Compaction, its_terms_change_while_it_runs) {
  KeyedWorld world(6);
  world.options.compaction_interval = Duration::from_ms(1'000'000);
  world.start();
  for (int number = 0; number < 4'000; ++number) {
    ASSERT_TRUE(world.append_one("key " + std::to_string(number % 3'000), "v"));
    if (number % 50 == 0) world.pump();
  }
  world.pump();
  // It rests; a shorter rest ends sooner, and the smaller map takes more rounds.
  world.options.compaction_interval = Duration::from_ms(1'000);
  world.storage->set_compaction(1, world.options.compaction_interval);
  const std::uint64_t before = world.storage->compaction().rounds;
  world.compact();
  EXPECT_GE(world.storage->compaction().rounds, before + 3);
  world.check(Offset{0});
}

TEST(Compaction, what_is_not_a_batch_is_reported_and_left_alone) {
  KeyedWorld world(7);
  world.start();
  fill(world, 300, 5);
  world.stop();
  const std::string path = "t-0/00000000000000000000.log";
  Buffer bytes = world.disk.content(path);
  bytes[records::at::kMagic] = std::byte{9};
  world.disk.set_content(path, bytes);
  world.start();
  world.compact();
  ASSERT_FALSE(world.faults.empty());
  EXPECT_NE(world.faults.front().find("t-0"), std::string::npos);
  EXPECT_EQ(world.storage->compaction().uncleanable_logs, 1U);
  EXPECT_TRUE(world.disk.content(path) == bytes);
  EXPECT_EQ(world.paths_with(".cleaned"), std::vector<std::string>{});
}

// No checksum covers a batch's base offset. One that says less made compaction prefer older values, one that
// says more made newer ones go.
TEST(Compaction, a_batch_whose_offset_cannot_be_there_is_reported_and_left_alone) {
  for (const bool less : {true, false}) {
    KeyedWorld world(7);
    world.start();
    fill(world, 300, 5);
    world.stop();
    const std::string path = world.paths_with(".log").at(1);
    Buffer bytes = world.disk.content(path);
    const std::size_t second = records::parse_batch(bytes)->size();
    const std::int64_t base = records::parse_batch(Bytes(bytes).subspan(second))->base_offset().value;
    store_big(bytes.data() + second, less ? base - (base & -base) : base + 2);
    world.disk.set_content(path, bytes);
    world.start();
    const auto before = world.disk.paths();
    world.compact();
    ASSERT_FALSE(world.faults.empty());
    EXPECT_NE(world.faults.front().find("t-0"), std::string::npos);
    EXPECT_EQ(world.storage->compaction().uncleanable_logs, 1U);
    ASSERT_TRUE(world.disk.exists(path));
    EXPECT_TRUE(world.disk.content(path) == bytes);
    EXPECT_EQ(world.disk.paths(), before);
  }
}

TEST(Compaction, a_full_disk_ends_the_round_and_nothing_else) {
  KeyedWorld world(8);
  world.start();
  fill(world, 300, 5);
  world.stop();
  world.start();
  world.disk.no_room = true;
  world.compact();
  world.disk.no_room = false;
  EXPECT_EQ(world.storage->compaction().rounds, 0U);
  EXPECT_EQ(world.paths_with(".cleaned"), std::vector<std::string>{});
  world.check(Offset{0});
  world.compact();
  EXPECT_GE(world.storage->compaction().rounds, 1U);
  world.check(Offset{0});
}

TEST(Compaction, too_many_open_files_end_the_round_and_nothing_else) {
  KeyedWorld world(8);
  world.start();
  fill(world, 300, 5);
  world.stop();
  world.start();
  world.disk.no_descriptors = true;
  world.compact();
  world.disk.no_descriptors = false;
  EXPECT_EQ(world.storage->compaction().rounds, 0U);
  world.check(Offset{0});
  world.compact();
  EXPECT_GE(world.storage->compaction().rounds, 1U);
  world.check(Offset{0});
}

TEST(Compaction, new_segments_wait_for_room_for_their_names) {
  KeyedWorld world(8);
  world.start();
  fill(world, 300, 5);
  world.stop();
  world.start();
  world.disk.failing = ".cleaned";
  world.disk.failing_kind = DiskOpKind::rename;
  world.disk.failing_code = Errc::out_of_space;
  world.compact();
  ASSERT_NE(world.storage->report(DirId{0}).state, DirState::offline)
      << world.storage->report(DirId{0}).failure.message;
  EXPECT_EQ(world.storage->compaction().rounds, 0U);
  world.disk.failing.clear();
  world.compact();
  EXPECT_GE(world.storage->compaction().rounds, 1U);
  EXPECT_EQ(world.paths_with(".cleaned"), std::vector<std::string>{});
  world.check(Offset{0});
}

// A log beside the first, with as much in it that goes.
LogId fill_another(KeyedWorld& world, const std::string& topic, int records, int keys) {
  const auto made =
      world.storage->create({LogId{}, Uuid{3, 4}, topic, PartitionId{0}, DirId{0}}, world.config);
  EXPECT_TRUE(made.has_value());
  for (int number = 0; number < records; ++number) {
    records::BatchBuilder builder;
    const std::string key = "key " + std::to_string(number % keys);
    EXPECT_TRUE(builder.add(world.now.wall.ms, as_bytes(key), as_bytes(value_of(number))));
    Buffer bytes;
    EXPECT_TRUE(builder.finish(bytes).has_value());
    const auto info = records::validate_for_produce(bytes, {.compacted = true}, world.now.wall);
    EXPECT_TRUE(info.has_value());
    EXPECT_TRUE(
        world.storage->append(**made, bytes, *info, {.epoch = LeaderEpoch{1}}, world.now).has_value());
    if (number % 10 == 0) world.pump();
  }
  world.pump();
  return (*made)->id();
}

// Two logs that are equally dirty, of which the first one's operations of this kind find no room.
struct HalfFull {
  HalfFull(DiskOpKind kind, std::uint64_t seed) : world(seed) {
    world.start();
    fill(world, 300, 5);
    other = fill_another(world, "u", 300, 5);
    world.stop();
    world.disk.failing = "t-0/";
    world.disk.failing_kind = kind;
    world.disk.failing_code = Errc::out_of_space;
    world.start();
    before = size_of_other();
  }
  std::uint64_t size_of_other() { return world.storage->find(other)->size_bytes(); }

  KeyedWorld world;
  LogId other;
  std::uint64_t before = 0;
};

TEST(Compaction, others_are_compacted_while_one_waits_for_room_for_its_names) {
  HalfFull half(DiskOpKind::rename, 13);
  KeyedWorld& world = half.world;
  const LogId third = fill_another(world, "r", 100, 5);
  LogConfig passing = world.config;
  passing.compact = false;
  passing.remove = true;
  passing.retention_ms = 1'000;
  world.storage->set_config(*world.storage->find(third), passing);
  world.advance(world.options.retention_interval);
  world.compact();
  EXPECT_EQ(world.storage->find(third)->start_offset(), Offset{100}) << "retention goes on";
  EXPECT_LT(half.size_of_other(), half.before / 4);
  EXPECT_GE(world.storage->compaction().rounds, 1U);
  EXPECT_NE(world.paths_with(".cleaned"), std::vector<std::string>{});
  world.disk.failing.clear();
  world.compact();
  EXPECT_EQ(world.paths_with(".cleaned"), std::vector<std::string>{});
  EXPECT_GE(world.storage->compaction().rounds, 2U);
  world.check(Offset{0});
}

TEST(Compaction, a_name_that_found_no_room_is_not_forgotten_while_the_others_take_long) {
  HalfFull half(DiskOpKind::rename, 16);
  KeyedWorld& world = half.world;
  world.disk.in_order = true;
  world.disk.failing = ".log.cleaned";
  const auto any = [&](const std::string& part) {
    return world.paths_with(part) != std::vector<std::string>{};
  };
  const auto some_have_names = [&] { return any(".log.cleaned") && !any(".timeindex.cleaned"); };
  bool begun = false;
  for (int steps = 0; steps < 40'000 && !(begun && some_have_names()); ++steps) {
    if (steps % 1'000 == 0) world.advance(world.options.compaction_interval);
    world.step();
    begun = begun || any(".timeindex.cleaned");
  }
  ASSERT_TRUE(begun && some_have_names());
  world.disk.failing.clear();
  world.advance(Duration::from_ms(60'000));
  world.compact();
  EXPECT_FALSE(any(".cleaned"));
  world.check(Offset{0});
}

TEST(Compaction, a_log_for_which_there_is_no_room_lets_others_go_first) {
  HalfFull half(DiskOpKind::preallocate, 14);
  half.world.compact();
  EXPECT_LT(half.size_of_other(), half.before / 4);
  half.world.disk.failing.clear();
  half.world.compact();
  EXPECT_GE(half.world.storage->compaction().rounds, 2U);
  half.world.check(Offset{0});
}

TEST(Compaction, a_clean_stop_leaves_what_waits_for_room_to_the_next_start) {
  for (const DiskOpKind kind : {DiskOpKind::rename, DiskOpKind::remove}) {
    HalfFull half(kind, 15);
    KeyedWorld& world = half.world;
    if (kind == DiskOpKind::remove) {
      // New files that are given up wait for nothing but their removal.
      world.disk.failing.clear();
      const auto of_ours = [&] {
        return std::ranges::any_of(world.paths_with(".cleaned"),
                                   [](const std::string& path) { return path.starts_with("t-0/"); });
      };
      for (int steps = 0; steps < 20'000 && !of_ours(); ++steps) {
        if (steps % 1'000 == 0) world.advance(world.options.compaction_interval);
        world.step();
      }
      ASSERT_TRUE(of_ours());
      world.disk.no_room = true;
      world.disk.failing = "t-0/";
    }
    world.compact();
    world.disk.no_room = false;
    ASSERT_NE(world.paths_with(".cleaned"), std::vector<std::string>{});
    world.stop();
    world.start();
    world.stop();
    EXPECT_NE(world.paths_with(".cleaned"), std::vector<std::string>{}) << "the disk was full all the time";
    world.disk.failing.clear();
    world.start();
    world.check(Offset{0});
    EXPECT_EQ(world.paths_with(".cleaned"), std::vector<std::string>{});
    world.compact();
    EXPECT_GE(world.storage->compaction().rounds, 1U);
    world.check(Offset{0});
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Compaction, removal_of_the_log_ends_the_round) {
  KeyedWorld world(9);
  world.options.compaction_bytes_per_second = 1;
  world.start();
  fill(world, 300, 5);
  world.advance(Duration::from_ms(2'000));
  for (int step = 0; step < 20; ++step) world.step();
  world.storage->remove(world.log().id());
  world.pump();
  world.advance(Duration::from_ms(120'000));
  world.pump();
  EXPECT_EQ(world.paths_with("t-0"), std::vector<std::string>{});
  world.end(true);
  world.start();
}

TEST(Compaction, what_is_on_its_way_when_the_log_is_removed_does_not_come_upon_the_next_of_its_name) {
  for (int later = 0; later < 60; ++later) {
    SCOPED_TRACE(later);
    KeyedWorld world(12);
    world.start();
    fill(world, 100, 5);
    world.disk.slow = ".cleaned";
    for (int steps = 0; world.disk.slow_queued() == 0 && steps < 10'000; ++steps) {
      if (world.disk.idle()) world.advance(world.options.compaction_interval);
      world.step();
    }
    ASSERT_GT(world.disk.slow_queued(), 0U);
    for (int steps = 0; steps < later; ++steps) world.step();
    world.storage->remove(world.log().id());
    if (later % 2 == 0) world.pump();
    ASSERT_TRUE(world.storage->create({LogId{}, Uuid{3, 4}, "t", PartitionId{0}, DirId{0}}, world.config));
    world.model.clear();
    world.acked = Offset{0};
    ASSERT_TRUE(world.append_one("key", value_of(1)));
    world.stop();
    world.start();
    world.check(Offset{0});
    EXPECT_EQ(world.log().end_offset(), Offset{1});
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Compaction, a_reader_that_waits_for_a_segment_that_goes_meanwhile_is_answered) {
  KeyedWorld world(11);
  world.start();
  fill(world, 300, 5);
  world.end(true);
  world.start();
  const std::uint64_t before = world.log().size_bytes();
  world.advance(Duration::from_ms(2'000));
  for (int steps = 0; world.log().size_bytes() == before && steps < 10'000; ++steps) world.step();
  // The new segment counts, and has not got its name yet.
  std::vector<Bytes> pieces;
  const ReadPlan plan =
      world.storage->plan_read(world.log(), {Offset{0}, 4'096, world.log().end_offset(), true}, pieces);
  ASSERT_EQ(plan.kind, ReadPlan::Kind::need);
  world.ready.clear();
  world.storage->set_log_start(world.log(), Offset{200});
  world.pump();
  EXPECT_NE(std::ranges::find(world.ready, plan.ticket), world.ready.end()) << "waits for ever";
  world.check(Offset{200});
}

// The entry of the swap is durable, the one by which the segment went is not: a power loss brings the segment back.
TEST(Compaction, a_segment_that_goes_before_it_has_its_names_has_its_files_until_that_is_durable) {
  for (int turns = 0; turns < 400; ++turns) {
    SCOPED_TRACE(turns);
    KeyedWorld world(13 + static_cast<std::uint64_t>(turns));
    world.start();
    fill(world, 300, 250);
    world.end(true);
    world.start();
    world.advance(Duration::from_ms(2'000));
    for (int steps = 0; world.paths_with(".log.cleaned").empty() && steps < 10'000; ++steps) world.step();
    const std::uint64_t before = world.log().size_bytes();
    for (int steps = 0; world.log().size_bytes() == before && steps < 10'000; ++steps) world.step();
    for (int steps = 0; world.disk.writes_queued("journal/0.jnl") == 0 && steps < 100; ++steps) world.step();
    world.storage->set_log_start(world.log(), world.acked);
    for (int steps = 0; steps < turns % 12; ++steps) world.step();
    world.end(true);
    world.start();
    world.check(Offset{0});
    EXPECT_EQ(world.faults, std::vector<std::string>{});
    world.compact();
    EXPECT_EQ(world.paths_with(".cleaned"), std::vector<std::string>{});
    world.check(Offset{0});
    if (testing::Test::HasFailure()) return;
  }
}

// Of segments that are not in the manifest: the journal alone tells of them.
TEST(Compaction, files_that_a_killed_broker_had_still_to_remove_go_after_the_next_start) {
  enum class Between : std::uint8_t { nothing, kill, power_loss };
  const auto files_left = [](bool compacted, Between between) {
    KeyedWorld world(20);
    world.config.compact = compacted;
    world.config.remove = !compacted;
    world.start();
    fill(world, 500, 7);
    if (!compacted) world.storage->set_log_start(world.log(), Offset{400});
    world.compact();
    if (between != Between::nothing) {
      world.end(between == Between::power_loss);
      world.start();
    }
    world.compact();
    world.advance(Duration::from_ms(61'000));
    world.pump();
    world.stop();  // which writes what was not in its files yet
    world.start();
    world.check(Offset{0});
    return world.paths_with(".log");
  };
  for (const bool compacted : {true, false}) {
    const std::vector<std::string> left = files_left(compacted, Between::nothing);
    EXPECT_EQ(files_left(compacted, Between::kill), left);
    EXPECT_EQ(files_left(compacted, Between::power_loss), left);
  }
}

TEST(Compaction, a_log_that_is_compacted_and_deleted_loses_old_segments_as_well) {
  KeyedWorld world(10);
  world.config.remove = true;
  world.config.retention_ms = 100'000;
  world.options.retention_interval = Duration::from_ms(5'000);
  world.start();
  fill(world, 300, 5);
  world.compact();
  world.advance(Duration::from_ms(200'000));
  fill(world, 50, 4);
  world.compact();
  EXPECT_GE(world.log().start_offset(), Offset{250});
  world.check(Offset{0});
  world.end(true);
  world.start();
  world.check(Offset{0});
}

// --- when

struct Plan {
  LogState log;
  explicit Plan(int segments) {
    for (int each = 0; each < segments; ++each) {
      Segment segment;
      segment.base = Offset{each * 100};
      segment.next = Offset{each * 100 + 100};
      segment.size = segment.flushed = 1'000;
      segment.first_timestamp = each * 1'000;
      segment.index.max_timestamp = each * 1'000 + 999;
      segment.exists = segment.exact = true;
      segment.sealed = each + 1 < segments;
      log.segments.push_back(segment);
    }
    log.end = log.durable_end = Offset{segments * 100};
    log.durable.segment = log.active().base;
    log.config.compact = true;
  }
};

TEST(CompactionNeed, is_the_dirty_part_of_the_sealed_segments) {
  Plan plan(5);
  plan.log.compaction.passed = Offset{200};
  const CompactionNeed need = compaction_need(plan.log, WallTime{10'000});
  EXPECT_EQ(need.segments, 4U);
  EXPECT_EQ(need.first_dirty, Offset{200});
  EXPECT_EQ(need.end, Offset{400});
  EXPECT_EQ(need.clean_bytes, 2'000U);
  EXPECT_EQ(need.dirty_bytes, 2'000U);
  EXPECT_EQ(need.dirty_ratio(), 500'000);
  EXPECT_FALSE(need.is_due(plan.log.config)) << "half is not more than half";
  plan.log.compaction.passed = Offset{100};
  EXPECT_TRUE(compaction_need(plan.log, WallTime{10'000}).is_due(plan.log.config));
}

TEST(CompactionNeed, of_a_log_that_shall_stay_short_begins_when_its_active_segment_outgrew_the_rest) {
  Plan plan(3);
  plan.log.active().size = 1'000'000;
  EXPECT_FALSE(outgrows_rest(plan.log)) << "no log does unless told so";
  plan.log.config.short_from_bytes = 1'500;
  plan.log.active().size = 2'249;
  EXPECT_FALSE(outgrows_rest(plan.log)) << "two of a thousand bytes, and an eighth";
  plan.log.active().size = 2'250;
  EXPECT_TRUE(outgrows_rest(plan.log));
  plan.log.config.short_from_bytes = 2'251;
  EXPECT_FALSE(outgrows_rest(plan.log));
  // When it is sealed, and all else is clean, it is enough for the usual ratio.
  plan.log.active().sealed = true;
  Segment next = plan.log.active();
  next.base = plan.log.end;
  next.next = plan.log.end;
  next.size = next.flushed = 0;
  next.sealed = false;
  plan.log.segments.push_back(next);
  plan.log.segments[2].flushed = plan.log.segments[2].size;
  plan.log.durable.segment = next.base;
  plan.log.compaction.passed = Offset{200};
  EXPECT_TRUE(compaction_need(plan.log, WallTime{10'000}).is_due(plan.log.config));
}

TEST(CompactionNeed, ends_at_what_is_not_decided_not_visible_or_too_young) {
  Plan plan(5);
  plan.log.high_watermark = Offset{250};
  EXPECT_EQ(compaction_need(plan.log, WallTime{10'000}).end, Offset{200});
  plan.log.high_watermark.reset();
  plan.log.config.min_compaction_lag_ms = 7'000;
  EXPECT_EQ(compaction_need(plan.log, WallTime{10'000}).end, Offset{300}) << "the third ends with 2999";
  plan.log.config.min_compaction_lag_ms = 0;
  plan.log.segments[1].flushed = 500;
  const CompactionNeed need = compaction_need(plan.log, WallTime{10'000});
  EXPECT_EQ(need.segments, 1U);
  EXPECT_TRUE(need.unflushed);
}

TEST(CompactionNeed, age_counts_whatever_the_ratio) {
  Plan plan(5);
  plan.log.compaction.passed = Offset{300};
  plan.log.config.max_compaction_lag_ms = 6'500;
  EXPECT_FALSE(compaction_need(plan.log, WallTime{9'500}).is_due(plan.log.config));
  const CompactionNeed need = compaction_need(plan.log, WallTime{9'600});
  EXPECT_EQ(need.delay_ms, 100);
  EXPECT_TRUE(need.is_due(plan.log.config));
  plan.log.compaction.passed = Offset{400};
  EXPECT_FALSE(compaction_need(plan.log, WallTime{99'000}).is_due(plan.log.config)) << "nothing is dirty";
}

}  // namespace
}  // namespace tailwater::log
