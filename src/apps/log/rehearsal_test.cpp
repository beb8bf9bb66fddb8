// Goal: a rehearsal sees the folder as if it had been written to, and leaves it as it was. Method: operations
// on a rehearsal disk over a real folder; then a whole storage, started over a copy of what a killed one
// left.
#include "apps/log/rehearsal.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "records/builder.hpp"
#include "records/validate.hpp"
#include "shell/net/clock.hpp"
#include "support/temporary_folder.hpp"

namespace tailwater::apps::logtools {
namespace {

namespace fs = std::filesystem;

class RehearsalTest : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& content) {
    fs::create_directories(fs::path(folder + "/" + path).parent_path());
    std::ofstream(folder + "/" + path) << content;
  }
  std::map<std::string, std::string> everything() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      found[entry.path().string()] = {std::istreambuf_iterator<char>(in), {}};
    }
    return found;
  }
  static DiskDone one(RehearsalDisk& disk, DiskOp op) {
    log::DiskEffects effects;
    effects.push_back(std::move(op));
    return std::move(disk.carry(std::move(effects), Instant{}).at(0));
  }
  static std::string text(RehearsalDisk& disk, const std::string& path) {
    const auto content = disk.load(path);
    return content ? std::string(as_text(*content)) : "?";
  }

  TemporaryFolder temporary;
  const std::string& folder = temporary.path();
};

DiskOp op(DiskOpKind kind, const std::string& path = {}) {
  DiskOp made;
  made.kind = kind;
  made.path = path;
  made.file = FileId{1};
  return made;
}

TEST_F(RehearsalTest, WritesStandBeforeTheDiskAndTheDiskStaysAsItWas) {
  put("a/one", std::string(10'000, 'x'));
  const auto before = everything();
  RealFiles real(folder);
  RehearsalDisk disk(real);
  EXPECT_EQ(one(disk, op(DiskOpKind::open, "a/one")).outcome, 10'000u);
  DiskOp write = op(DiskOpKind::write);
  const std::string news = "news";
  write.at = 4'094;  // over the border of two blocks
  write.pieces.push_back(as_bytes(news));
  EXPECT_TRUE(one(disk, std::move(write)).outcome.has_value());
  std::string wanted(10'000, 'x');
  wanted.replace(4'094, 4, news);
  EXPECT_EQ(text(disk, "a/one"), wanted);

  DiskOp cut = op(DiskOpKind::truncate);
  cut.size = 4'096;
  EXPECT_TRUE(one(disk, std::move(cut)).outcome.has_value());
  DiskOp grow = op(DiskOpKind::preallocate);
  grow.size = 4'200;
  grow.extend = true;
  EXPECT_TRUE(one(disk, std::move(grow)).outcome.has_value());
  EXPECT_EQ(text(disk, "a/one"), wanted.substr(0, 4'096) + std::string(104, '\0'));
  EXPECT_EQ(everything(), before);
}

TEST_F(RehearsalTest, NamesChangeInTheRehearsalOnly) {
  put("a/one", "1");
  put("a/two", "2");
  put("b", "3");
  const auto before = everything();
  RealFiles real(folder);
  RehearsalDisk disk(real);
  EXPECT_EQ(one(disk, op(DiskOpKind::open, "a/three")).outcome.error().code, Errc::not_found);
  DiskOp replace = op(DiskOpKind::replace, "a/one");
  replace.content = Buffer(2, std::byte{'n'});
  EXPECT_TRUE(one(disk, std::move(replace)).outcome.has_value());
  EXPECT_TRUE(one(disk, op(DiskOpKind::remove, "a/two")).outcome.has_value());
  DiskOp rename = op(DiskOpKind::rename, "a");
  rename.path2 = "c";
  EXPECT_TRUE(one(disk, std::move(rename)).outcome.has_value());
  EXPECT_EQ(one(disk, op(DiskOpKind::list, "c")).names, std::vector<std::string>{"one"});
  EXPECT_EQ(one(disk, op(DiskOpKind::list, "a")).outcome.error().code, Errc::not_found);
  EXPECT_EQ(text(disk, "c/one"), "nn");
  EXPECT_EQ(text(disk, "a/one"), "?");
  EXPECT_EQ(text(disk, "b"), "3");
  EXPECT_EQ(everything(), before);
}

// A storage on the real disk that is thrown away without a clean stop; its wishes are carried out until a
// record is durable.
void leave_behind(const std::string& folder) {
  auto directory = shell::LogDirectory::prepare(DirId{0}, folder);
  ASSERT_TRUE(directory.has_value());
  log::StorageOptions options;
  options.dirs = {DirId{0}};
  options.seed = 5;
  log::Storage storage(options);
  RealDisk disk(*directory);  // goes first, since what is in flight refers to the storage's memory
  log::DiskEffects effects;
  storage.start(shell::read_clocks(), effects);
  log::Log* made = nullptr;
  while (made == nullptr || made->durable_end() < Offset{1}) {
    if (made == nullptr && storage.recovered()) {
      made = *storage.create({{}, {1, 2}, "orders", PartitionId{0}, DirId{0}}, {});
      records::BatchBuilder builder({});
      ASSERT_TRUE(builder.add(1'000, std::nullopt, as_bytes("value")));
      Buffer batch;
      ASSERT_TRUE(builder.finish(batch).has_value());
      const auto info = records::validate_for_produce(batch, {}, WallTime{1'000});
      ASSERT_TRUE(storage.append(*made, batch, *info, {}, shell::read_clocks()).has_value());
    }
    storage.clear_news();
    storage.turn(shell::read_clocks(), effects);
    for (DiskDone& done : disk.carry(std::exchange(effects, {}), storage.next_deadline()))
      storage.completed(std::move(done), shell::read_clocks());
  }
}

TEST_F(RehearsalTest, AStorageIsDrainedInARehearsalAndThenForReal) {
  leave_behind(folder);
  const auto before = everything();
  RealFiles real(folder);
  RehearsalDisk rehearsal(real);
  const auto rehearsed = drain("0", false, [&](log::DiskEffects&& effects, Instant until) {
    return rehearsal.carry(std::move(effects), until);
  });
  ASSERT_TRUE(rehearsed.has_value()) << rehearsed.error().message;
  ASSERT_EQ(rehearsed->state.logs.size(), 1u);
  EXPECT_EQ(rehearsed->state.logs[0].end, Offset{1});
  EXPECT_GT(rehearsed->report.replayed_bytes, 0u);
  const auto segment = rehearsal.load("orders-0/00000000000000000000.log");
  ASSERT_TRUE(segment.has_value());
  EXPECT_EQ(segment->size(), rehearsed->state.logs[0].segments[0].size);
  EXPECT_EQ(everything(), before);

  auto directory = shell::LogDirectory::prepare(DirId{0}, folder);
  ASSERT_TRUE(directory.has_value());
  {
    RealDisk disk(*directory);
    const auto drained = drain("0", false, [&](log::DiskEffects&& effects, Instant until) {
      return disk.carry(std::move(effects), until);
    });
    ASSERT_TRUE(drained.has_value()) << drained.error().message;
  }
  EXPECT_EQ(real.load("orders-0/00000000000000000000.log").value_or(Buffer{}), *segment);
}

}  // namespace
}  // namespace tailwater::apps::logtools
