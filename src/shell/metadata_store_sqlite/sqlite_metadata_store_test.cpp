// Goal: the SQLite store keeps the contract of all stores, survives being killed, and says clearly what is
// wrong with a file that is in use, damaged, foreign, newer or on a full disk. Method: the contract's suite;
// files spoilt by hand; a child process that is killed between appends.
#include "shell/metadata_store_sqlite/sqlite_metadata_store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/cluster/metadata_store_contract.hpp"
#include "support/temporary_folder.hpp"

namespace tailwater::shell {
namespace {

using cluster::MetadataVersion;

std::string file_in(const TemporaryFolder& folder) {
  return folder.path() + "/metadata.sqlite";
}

struct SqliteStores {
  static constexpr bool kDurable = true;
  TemporaryFolder folder;
  std::unique_ptr<cluster::MetadataStore> open() {
    auto store = SqliteMetadataStore::open(folder.path());
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
};

}  // namespace
}  // namespace tailwater::shell

namespace tailwater::cluster {
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, MetadataStoreContract, shell::SqliteStores);
}  // namespace tailwater::cluster

namespace tailwater::shell {
namespace {

Error error_of_open(const TemporaryFolder& folder) {
  auto store = SqliteMetadataStore::open(folder.path());
  EXPECT_FALSE(store);
  return store ? Error{} : store.error();
}

void run_sql(const std::string& file, const char* sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
  sqlite3_close(database);
}

TEST(SqliteMetadataStore, ASecondOpenIsToldThatTheFileIsInUse) {
  const TemporaryFolder folder;
  auto first = SqliteMetadataStore::open(folder.path());
  ASSERT_TRUE(first);
  EXPECT_EQ(error_of_open(folder),
            (Error{Errc::busy, "the metadata file " + file_in(folder) + " is in use by another process"}));
  ASSERT_TRUE((*first)->append(MetadataVersion{0}, as_bytes("1")));
  first->reset();
  EXPECT_TRUE(SqliteMetadataStore::open(folder.path()));
}

TEST(SqliteMetadataStore, AnotherProcessIsToldToo) {
  const TemporaryFolder folder;
  auto first = SqliteMetadataStore::open(folder.path());
  ASSERT_TRUE(first);
  const pid_t child = ::fork();
  if (child == 0) {
    auto second = SqliteMetadataStore::open(folder.path());
    ::_exit(!second && second.error().code == Errc::busy ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(SqliteMetadataStore, WhatWasAnsweredIsThereAfterAKill) {
  const TemporaryFolder folder;
  int answers[2];
  ASSERT_EQ(::pipe(answers), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = SqliteMetadataStore::open(folder.path());
    for (std::uint64_t number = 0; store; ++number) {
      if (!(*store)->append(MetadataVersion{number}, as_bytes("entry"))) break;
      if (::write(answers[1], "a", 1) != 1) break;
    }
    ::_exit(1);
  }
  ::close(answers[1]);
  std::uint64_t answered = 0;
  char letter = 0;
  while (answered < 20 && ::read(answers[0], &letter, 1) == 1) ++answered;
  ::kill(child, SIGKILL);
  while (::read(answers[0], &letter, 1) == 1) ++answered;
  ::close(answers[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  auto store = SqliteMetadataStore::open(folder.path());
  ASSERT_TRUE(store) << store.error().message;
  const MetadataVersion head = *(*store)->head();
  EXPECT_GE(head.value, answered);
  EXPECT_LE(head.value, answered + 1);
  const auto entries = (*store)->read(MetadataVersion{1}, 1'000'000);
  ASSERT_TRUE(entries);
  EXPECT_EQ(entries->size(), head.value);
}

TEST(SqliteMetadataStore, OnlyTheOwnerMayReadTheFile) {
  const TemporaryFolder folder;
  const auto store = SqliteMetadataStore::open(folder.path());
  ASSERT_TRUE(store);
  struct stat facts{};
  ASSERT_EQ(::stat(file_in(folder).c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat((file_in(folder) + "-wal").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

// On a full disk a start has no other blocks to write to.
TEST(SqliteMetadataStore, TheLogKeepsItsBlocksWhileTheStoreIsClosed) {
  const TemporaryFolder folder;
  const auto blocks_of_log = [&]() -> std::int64_t {
    struct stat facts{};
    return ::stat((file_in(folder) + "-wal").c_str(), &facts) == 0 ? facts.st_blocks * 512 : 0;
  };
  for (std::uint64_t round = 0; round < 4; ++round) {
    auto store = SqliteMetadataStore::open(folder.path());
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ((*store)->head(), MetadataVersion{round});
    EXPECT_GE(blocks_of_log(), 1 << 20);
    ASSERT_TRUE((*store)->append(MetadataVersion{round}, Buffer(3'000, std::byte{7})));
    ASSERT_TRUE((*store)->register_broker({.broker = BrokerId{1}}));
    store->reset();
    EXPECT_GE(blocks_of_log(), 1 << 20) << round;
  }
  // A large change does not stay there for ever.
  auto store = SqliteMetadataStore::open(folder.path());
  for (std::uint64_t each = 4; each < 24; ++each)
    ASSERT_TRUE((*store)->append(MetadataVersion{each}, Buffer(512 * 1024, std::byte{7})));
  store->reset();
  EXPECT_LE(blocks_of_log(), 6 << 20);
}

TEST(SqliteMetadataStore, ABackupThatIsPutInItsPlaceCountsAsItIs) {
  const TemporaryFolder folder;
  const auto append = [&](std::uint64_t version) {
    auto store = SqliteMetadataStore::open(folder.path());
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->append(MetadataVersion{version}, Buffer(3'000, std::byte{7})));
  };
  append(0);
  std::filesystem::copy_file(file_in(folder), folder.path() + "/backup");
  for (std::uint64_t version = 1; version < 6; ++version) append(version);
  std::filesystem::rename(folder.path() + "/backup", file_in(folder));
  auto store = SqliteMetadataStore::open(folder.path());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->head(), MetadataVersion{1});
  const auto entries = (*store)->read(MetadataVersion{1}, 100);
  ASSERT_TRUE(entries) << entries.error().message;
  EXPECT_EQ(entries->size(), 1u);
}

TEST(SqliteMetadataStore, AnUnfinishedNewFileIsMadeAgain) {
  const TemporaryFolder folder;
  std::ofstream(file_in(folder) + ".new") << "half";
  std::ofstream(file_in(folder)) << "";
  EXPECT_TRUE(SqliteMetadataStore::open(folder.path()));
  EXPECT_FALSE(std::filesystem::exists(file_in(folder) + ".new"));
}

TEST(SqliteMetadataStore, AFileThatCannotBeLookedAtIsNotReplaced) {
  const TemporaryFolder folder;
  // A name that leads to itself: there is something, and nobody can say what.
  std::filesystem::create_symlink("metadata.sqlite", file_in(folder));
  EXPECT_EQ(error_of_open(folder),
            (Error{Errc::storage, "cannot look for the metadata file " + file_in(folder) +
                                      ": Too many levels of symbolic links"}));
  EXPECT_TRUE(std::filesystem::is_symlink(file_in(folder)));
}

TEST(SqliteMetadataStore, ChangesOfAFileThatIsGoneAreKept) {
  const TemporaryFolder folder;
  const std::string changes = file_in(folder) + "-wal";
  std::ofstream(changes) << "of the file that was here";
  for (const bool empty : {false, true}) {
    if (empty) std::ofstream(file_in(folder)) << "";
    const Error error = error_of_open(folder);
    EXPECT_EQ(error.code, Errc::corrupt);
    EXPECT_NE(error.message.find(changes), std::string::npos) << error.message;
    EXPECT_TRUE(std::filesystem::exists(changes));
  }
}

TEST(SqliteMetadataStore, AMissingFolderIsNamed) {
  auto store = SqliteMetadataStore::open("/nowhere/at/all");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error(), (Error{Errc::storage,
                                  "cannot open the metadata file /nowhere/at/all/metadata.sqlite.new: "
                                  "No such file or directory"}));
}

TEST(SqliteMetadataStore, AFileThatIsNoDatabaseIsCalledDamaged) {
  const TemporaryFolder folder;
  std::ofstream(file_in(folder)) << std::string(8192, 'x');
  const Error error = error_of_open(folder);
  EXPECT_EQ(error.code, Errc::corrupt);
  EXPECT_NE(error.message.find("restore it from a backup"), std::string::npos) << error.message;
}

TEST(SqliteMetadataStore, ADamagedPageIsNoticedWhenItIsRead) {
  const TemporaryFolder folder;
  {
    auto store = SqliteMetadataStore::open(folder.path());
    ASSERT_TRUE(store);
    for (std::uint64_t number = 0; number < 20; ++number) {
      ASSERT_TRUE((*store)->append(MetadataVersion{number}, Buffer(3000, std::byte{7})));
    }
  }
  {
    std::fstream file(file_in(folder), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);  // the first page after the header: a table's root
    file << std::string(4096, '\xff');
  }
  auto store = SqliteMetadataStore::open(folder.path());
  if (store) {
    const auto entries = (*store)->read(MetadataVersion{1}, 100);
    ASSERT_FALSE(entries);
    EXPECT_EQ(entries.error().code, Errc::corrupt) << entries.error().message;
  } else {
    EXPECT_EQ(store.error().code, Errc::corrupt) << store.error().message;
  }
}

TEST(SqliteMetadataStore, AnotherProgramsFileIsNotTouched) {
  const TemporaryFolder folder;
  run_sql(file_in(folder), "CREATE TABLE theirs(x)");
  EXPECT_EQ(error_of_open(folder), (Error{Errc::corrupt, "the file " + file_in(folder) +
                                                             " belongs to another program; move it away"}));
}

TEST(SqliteMetadataStore, ANewerFormatIsRefused) {
  const TemporaryFolder folder;
  ASSERT_TRUE(SqliteMetadataStore::open(folder.path()));
  run_sql(file_in(folder), "PRAGMA user_version=2");
  EXPECT_EQ(error_of_open(folder),
            (Error{Errc::unsupported,
                   "the metadata file " + file_in(folder) +
                       " has format 2 and was written by a newer release; this one knows format 1"}));
}

TEST(SqliteMetadataStore, ALackingEntryIsDamage) {
  const TemporaryFolder folder;
  {
    auto store = SqliteMetadataStore::open(folder.path());
    for (std::uint64_t number = 0; number < 5; ++number)
      ASSERT_TRUE((*store)->append(MetadataVersion{number}, {}));
  }
  run_sql(file_in(folder), "DELETE FROM entries WHERE version=3");
  auto store = SqliteMetadataStore::open(folder.path());
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->read(MetadataVersion{1}, 10).error().code, Errc::corrupt);
  EXPECT_EQ((*store)->read(MetadataVersion{3}, 10).error().code, Errc::not_found);
}

TEST(SqliteMetadataStore, ALimitOnFileSizesFailsTheAppendAndLosesNothing) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    auto store = SqliteMetadataStore::open(folder.path());
    if (!store || !(*store)->append(MetadataVersion{0}, as_bytes("small"))) ::_exit(1);
    const rlimit limit{256 * 1024, 256 * 1024};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto refused = (*store)->append(MetadataVersion{1}, Buffer(400 * 1024));
    const bool named =
        !refused && (refused.error().code == Errc::out_of_space || refused.error().code == Errc::storage);
    ::_exit(named ? 0 : 2);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  auto store = SqliteMetadataStore::open(folder.path());
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->head(), MetadataVersion{1});
  EXPECT_TRUE((*store)->append(MetadataVersion{1}, as_bytes("more")));
}

}  // namespace
}  // namespace tailwater::shell
