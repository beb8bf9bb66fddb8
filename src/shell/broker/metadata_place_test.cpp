// Goal: metadata is found where it lies, and new metadata is made only where nothing can belong to older one.
// Method: temporary folders with the files that a broker, a person or a boot without a disk leaves in them.
#include "shell/broker/metadata_place.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/temporary_folder.hpp"

namespace tailwater::shell {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class MetadataPlaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b", "c"}) {
      std::filesystem::create_directories(folder / name);
      directories.push_back((folder / name).string());
    }
  }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((folder / path).parent_path());
    std::ofstream(folder / path) << text;
  }
  std::size_t place() const {
    const auto found = find_metadata(directories, unusable);
    EXPECT_TRUE(found.has_value()) << found.error().message;
    return found.value_or(SIZE_MAX);
  }
  std::string refusal() const {
    const auto found = find_metadata(directories, unusable);
    return found ? "found at " + std::to_string(*found) : found.error().message;
  }

  TemporaryFolder temporary;
  const std::filesystem::path folder = temporary.path();
  std::vector<std::string> directories;
  UnusableDirectories unusable;
};

TEST_F(MetadataPlaceTest, ANewBrokersIsInTheFirst) {
  EXPECT_EQ(place(), 0u);
  // A start that died early may leave these.
  write("b/meta.properties", "version=1\n");
  std::filesystem::create_directories(folder / "b" / "journal");
  write("c/metadata.sqlite", "");
  write("c/metadata.sqlite.new", "half");
  EXPECT_EQ(place(), 0u);
}

TEST_F(MetadataPlaceTest, ItIsFoundWhereItLies) {
  write("c/metadata.sqlite", "changes");
  EXPECT_EQ(place(), 2u);
  write("a/journal/0.jnl", "ring");
  write("a/metadata.sqlite", "");
  EXPECT_EQ(place(), 2u);
}

TEST_F(MetadataPlaceTest, LogsWithoutMetadataAreSomebodys) {
  for (const char* path : {"b/journal/0.jnl", "c/manifest/3-os-7"}) {
    write(path, "");
    EXPECT_THAT(refusal(), AllOf(HasSubstr((folder / path).parent_path().parent_path().string()),
                                 HasSubstr("metadata.sqlite"), HasSubstr("mounted")));
    std::filesystem::remove(folder / path);
  }
  EXPECT_EQ(place(), 0u);
}

TEST_F(MetadataPlaceTest, WhatIsLeftOfItIsWhereItWas) {
  write("b/metadata.sqlite-wal", "changes");
  EXPECT_EQ(place(), 1u);
}

TEST_F(MetadataPlaceTest, TwoAreRefused) {
  write("a/metadata.sqlite", "changes");
  write("c/metadata.sqlite", "changes");
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr(directories[0] + " and " + directories[2]), HasSubstr("move the other")));
}

TEST_F(MetadataPlaceTest, OneThatCannotBeUsedMayBeTheOne) {
  unusable.emplace(1, Error{Errc::storage, "no disk"});
  EXPECT_THAT(refusal(), AllOf(HasSubstr("no disk"), HasSubstr("metadata.sqlite")));
  write("b/metadata.sqlite", "of a disk that fails");
  write("c/metadata.sqlite", "changes");
  EXPECT_EQ(place(), 2u);
}

TEST_F(MetadataPlaceTest, WhatCannotBeLookedAtIsRefused) {
  std::filesystem::create_symlink("metadata.sqlite", folder / "c" / "metadata.sqlite");
  write("a/metadata.sqlite", "changes");
  EXPECT_THAT(refusal(), HasSubstr("cannot look for the metadata file " + directories[2]));
  std::filesystem::remove(folder / "c" / "metadata.sqlite");
  EXPECT_EQ(place(), 0u);
  std::filesystem::remove(folder / "a" / "metadata.sqlite");
  write("b/manifest", "no folder");
  EXPECT_THAT(refusal(), HasSubstr("cannot look into " + directories[1] + "/manifest"));
}

}  // namespace
}  // namespace tailwater::shell
