// Goal: directories keep their identity, and every way in which they can contradict each other or the
// configuration is said with the file that says it. Method: temporary folders; ids from a seed.
#include "shell/broker/meta_properties.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/prng.hpp"
#include "support/temporary_folder.hpp"

namespace tailwater::shell {
namespace {

using ::testing::HasSubstr;

class MetaPropertiesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder / "a");
    std::filesystem::create_directories(folder / "b");
    directories = {(folder / "a").string(), (folder / "b").string()};
  }

  Result<DirectoryIdentity> identify(std::int32_t broker = 1, std::string cluster_id = {}) {
    return identify_directories(
        directories, {BrokerId{broker}, std::move(cluster_id), [this] { return random.uuid(); }}, unusable);
  }
  void write(const char* name, const std::string& text) const {
    std::ofstream(folder / name / "meta.properties") << text;
  }

  TemporaryFolder temporary;
  const std::filesystem::path folder = temporary.path();
  std::vector<std::string> directories;
  UnusableDirectories unusable;
  Prng random{1};
};

TEST_F(MetaPropertiesTest, NewDirectoriesGetAnIdentityAndKeepIt) {
  const auto first = identify();
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ(first->cluster_id.size(), 22u);
  EXPECT_NE(first->directories[0], first->directories[1]);
  const auto second = identify();
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->cluster_id, first->cluster_id);
  EXPECT_EQ(second->directories, first->directories);
}

TEST_F(MetaPropertiesTest, NewDirectoryJoinsTheClusterOfTheOthers) {
  write("b", "#\n#Mon Jan 01 00:00:00 UTC 2024\ncluster.id=abc\nversion=1\nnode.id=1\n");
  const auto identity = identify();
  ASSERT_TRUE(identity.has_value()) << identity.error().message;
  EXPECT_EQ(identity->cluster_id, "abc");
  // The id that was missing is there at the next start.
  EXPECT_EQ(identify()->directories, identity->directories);
}

TEST_F(MetaPropertiesTest, FilesOfOldKafkaNameTheBrokerOtherwise) {
  write("a", "version=0\nbroker.id=5\ncluster.id=old\n");
  EXPECT_TRUE(identify(5).has_value());
}

TEST_F(MetaPropertiesTest, ContradictionsAreRefused) {
  write("a", "version=1\ncluster.id=x\nnode.id=2\n");
  EXPECT_THAT(identify(1).error().message, HasSubstr("belongs to broker 2, but node.id is 1"));
  EXPECT_THAT(identify(2, "y").error().message,
              HasSubstr("belongs to cluster x, but the configuration says y"));
  write("b", "version=1\ncluster.id=z\nnode.id=2\n");
  EXPECT_THAT(identify(2).error().message, HasSubstr("belongs to cluster z, but " + directories[0]));
  write("a", "version=1\ncluster.id=x\nnode.id=2\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n");
  write("b", "version=1\ncluster.id=x\nnode.id=2\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n");
  EXPECT_THAT(identify(2).error().message, HasSubstr("have the same directory.id"));
}

TEST_F(MetaPropertiesTest, DamagedFilesAreNamed) {
  for (const char* text :
       {"", "version=7\n", "version=1\nnode.id=1\n", "version=1\ncluster.id=x\nnode.id=one\n",
        "version=1\ncluster.id=x\nnode.id=1\ndirectory.id=?\n", "no equals sign\n"}) {
    write("a", text);
    const auto identity = identify();
    ASSERT_TRUE(identity.has_value()) << identity.error().message;
    ASSERT_EQ(unusable.size(), 1u) << text;
    EXPECT_THAT(unusable.at(0).message, HasSubstr(directories[0] + "/meta.properties"));
    EXPECT_TRUE(identity->directories.at(0).is_zero());
    EXPECT_FALSE(identity->directories.at(1).is_zero());
    unusable.clear();
  }
}

TEST_F(MetaPropertiesTest, WhatCannotBeUsedIsLeftAlone) {
  const auto before = identify();
  ASSERT_TRUE(before.has_value());
  std::filesystem::remove(folder / "a" / "meta.properties");
  unusable.emplace(0, Error{Errc::storage, "no disk"});
  const auto without = identify();
  ASSERT_TRUE(without.has_value());
  EXPECT_EQ(without->directories, (std::vector<Uuid>{{}, before->directories[1]}));
  EXPECT_FALSE(std::filesystem::exists(folder / "a" / "meta.properties"));
  // Nor may its file be written.
  unusable.clear();
  std::filesystem::create_directories(folder / "a" / "meta.properties.tmp");
  EXPECT_EQ(identify()->directories, without->directories);
  EXPECT_THAT(unusable.at(0).message, HasSubstr("cannot write " + directories[0] + "/meta.properties"));
}

TEST_F(MetaPropertiesTest, TextRoundTrips) {
  const MetaProperties properties{"cluster", BrokerId{3}, random.uuid()};
  EXPECT_EQ(parse_meta_properties(format_meta_properties(properties)).value(), properties);
}

}  // namespace
}  // namespace tailwater::shell
