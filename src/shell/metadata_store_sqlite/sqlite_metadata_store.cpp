#include "shell/metadata_store_sqlite/sqlite_metadata_store.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace tailwater::shell {

using cluster::MetadataVersion;

namespace {

constexpr int kFormat = 1;  // PRAGMA user_version
constexpr int kApplicationId =
    0x5477746d;  // "Twtm", PRAGMA application_id: tells file(1) and us whose file it is

// Nobody but the broker reads credentials; SQLite itself would take the process's mask.
Result<void> make_private_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return fail(errno == ENOSPC ? Errc::out_of_space : Errc::storage,
                "cannot open the metadata file " + path + ": " + std::strerror(errno));
  }
  ::close(descriptor);
  return {};
}

// 0: there is none.
Result<std::uint64_t> size_of(const std::string& path) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) == 0) return static_cast<std::uint64_t>(facts.st_size);
  if (errno == ENOENT) return 0;
  return fail(Errc::storage, "cannot look for the metadata file " + path + ": " + std::strerror(errno));
}

bool sync_path(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool synced = ::fsync(descriptor) == 0;
  ::close(descriptor);
  return synced;
}

// A start has to write, and what would free space on a full disk runs only after it. So the write-ahead log has
// blocks of its own, which are kept while the broker is down; more than the second it gives back.
constexpr off_t kLogBytesKept = off_t{1} << 20;
constexpr off_t kLogBytesKeptMax = off_t{4} << 20;
constexpr std::size_t kLogHeaderBytes = 32;

// As much as there is room for: a broker that has run before has them.
void reserve_log(const std::string& path) {
  const int descriptor = ::open((path + "-wal").c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return;
  struct stat facts{};
  if (::fstat(descriptor, &facts) == 0 && facts.st_size < kLogBytesKept)
    (void)::posix_fallocate(descriptor, facts.st_size, kLogBytesKept - facts.st_size);
  ::close(descriptor);
}

// What a clean end leaves of the write-ahead log holds no changes, only blocks for the next start.
bool is_blank_log(const std::string& path) {
  const int descriptor = ::open((path + "-wal").c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  std::array<char, kLogHeaderBytes> header{};
  const bool read = ::pread(descriptor, header.data(), header.size(), 0) == std::ssize(header);
  ::close(descriptor);
  return read && std::ranges::all_of(header, [](char each) { return each == 0; });
}

// Nothing that is in it counts any more, as when another file is put in the place of its database.
bool blank_log(const std::string& path) {
  const int descriptor = ::open((path + "-wal").c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return false;
  constexpr char nothing[kLogHeaderBytes] = {};
  struct stat facts{};
  const bool blank =
      ::fstat(descriptor, &facts) == 0 &&
      (facts.st_size == 0 ||
       (::pwrite(descriptor, nothing, sizeof nothing, 0) == sizeof nothing && ::fdatasync(descriptor) == 0));
  ::close(descriptor);
  return blank;
}

}  // namespace

// A prepared statement in use: reset when it goes out of scope.
class SqliteMetadataStore::Statement {
 public:
  Statement(SqliteMetadataStore& store, const char* sql) : store_(store) {
    const auto known = store.statements_.find(sql);
    if (known != store.statements_.end()) {
      statement_ = known->second;
      return;
    }
    code_ = sqlite3_prepare_v3(store.database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
    if (code_ == SQLITE_OK) store.statements_.emplace(sql, statement_);
  }
  ~Statement() {
    if (statement_ == nullptr) return;
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(std::uint64_t number) {
    if (code_ == SQLITE_OK)
      code_ = sqlite3_bind_int64(statement_, ++bound_, static_cast<sqlite3_int64>(number));
    return *this;
  }
  Statement& bind(const char* text) {
    if (code_ == SQLITE_OK) code_ = sqlite3_bind_text(statement_, ++bound_, text, -1, SQLITE_STATIC);
    return *this;
  }
  // The bytes stay as they are until the statement has run. An empty blob is not NULL.
  Statement& bind(Bytes bytes) {
    static const char nothing = 0;
    if (code_ == SQLITE_OK) {
      const void* data = bytes.empty() ? static_cast<const void*>(&nothing) : bytes.data();
      code_ = sqlite3_bind_blob64(statement_, ++bound_, data, bytes.size(), SQLITE_STATIC);
    }
    return *this;
  }

  // True while there is a row.
  Result<bool> step() {
    if (code_ != SQLITE_OK) return std::unexpected(store_.error_now(code_));
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return std::unexpected(store_.error_now(code));
  }
  Result<void> run() {
    const Result<bool> row = step();
    if (!row) return std::unexpected(row.error());
    return {};
  }

  std::uint64_t number(int column) const {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
  }
  Buffer blob(int column) const {
    const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return size == 0 ? Buffer() : Buffer(data, data + size);
  }

 private:
  SqliteMetadataStore& store_;
  sqlite3_stmt* statement_ = nullptr;
  int code_ = SQLITE_OK;
  int bound_ = 0;
};

Error SqliteMetadataStore::error_now(int code) {
  const std::string reason = sqlite3_errmsg(database_);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Errc::busy, "the metadata file " + path_ + " is in use by another process"};
    case SQLITE_FULL:
      return {Errc::out_of_space, "no space is left for the metadata file " + path_};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Errc::corrupt,
              "the metadata file " + path_ + " is damaged (" + reason + "); restore it from a backup"};
    default:
      return {Errc::storage, "the metadata file " + path_ + " cannot be used: " + reason};
  }
}

Result<void> SqliteMetadataStore::run(const char* sql) {
  const int code = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error_now(code));
  return {};
}

template <class Work>
Result<void> SqliteMetadataStore::in_transaction(Work work) {
  if (broken_) return std::unexpected(*broken_);
  Result<void> done = Statement(*this, "BEGIN IMMEDIATE").run();
  if (done) done = work();
  if (done) {
    done = Statement(*this, "COMMIT").run();
    // A full disk is noticed before the commit is written. After any other error it may or may not be there.
    if (!done && done.error().code != Errc::out_of_space) broken_ = done.error();
  }
  if (!done && sqlite3_get_autocommit(database_) == 0) {
    if (const Result<void> rolled_back = Statement(*this, "ROLLBACK").run(); !rolled_back)
      broken_ = rolled_back.error();
  }
  return done;
}

// A new file comes into being whole or not at all: made under another name without syncs, synced once,
// renamed.
Result<void> SqliteMetadataStore::make_file(const std::string& folder, const std::string& path) {
  const std::string unfinished = path + ".new";
  // What an earlier attempt left behind would be taken for changes of the new one.
  for (const char* ending : {"", "-wal", "-journal"}) ::unlink((unfinished + ending).c_str());
  for (const char* ending : {"-wal", "-journal"}) ::unlink((path + ending).c_str());
  if (Result<void> made = make_private_file(unfinished); !made) return made;
  {
    auto fresh = connect(unfinished);
    if (!fresh) return std::unexpected(fresh.error());
    for (const char* sql :
         {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA synchronous=OFF", "PRAGMA journal_mode=WAL"}) {
      if (Result<void> done = (*fresh)->run(sql); !done) return done;
    }
    if (Result<void> done = (*fresh)->make_tables(); !done) return done;
  }
  const auto failed = [&] {
    return fail(Errc::storage, "cannot make the metadata file " + path + ": " + std::strerror(errno));
  };
  if (!sync_path(unfinished) || ::rename(unfinished.c_str(), path.c_str()) != 0 || !sync_path(folder))
    return failed();
  return {};
}

Result<std::unique_ptr<SqliteMetadataStore>> SqliteMetadataStore::connect(const std::string& path) {
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(
      path.c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  std::unique_ptr<SqliteMetadataStore> store(new SqliteMetadataStore(path, database));
  if (code != SQLITE_OK) return std::unexpected(store->error_now(code));
  return store;
}

Result<SqliteMetadataStore::Presence> SqliteMetadataStore::look(const std::string& folder) {
  const std::string path = folder + "/" + std::string(kFileName);
  for (const std::string_view ending : {"", "-wal", "-journal"}) {
    auto size = size_of(path + std::string(ending));
    if (!size) return std::unexpected(size.error());
    if (*size == 0) continue;
    if (ending.empty()) return Presence::whole;
    if (ending != "-wal" || !is_blank_log(path)) return Presence::parts;
  }
  return Presence::none;
}

Result<std::unique_ptr<SqliteMetadataStore>> SqliteMetadataStore::open(const std::string& folder) {
  const std::string path = folder + "/" + std::string(kFileName);
  const auto there = look(folder);
  if (!there) return std::unexpected(there.error());
  if (*there == Presence::parts) {
    return fail(Errc::corrupt, "the metadata file " + path +
                                   " is missing or empty, but its latest changes lie beside it (" + path +
                                   "-wal): restore it from a backup");
  }
  if (*there == Presence::none) {
    if (Result<void> made = make_file(folder, path); !made) return std::unexpected(made.error());
  }
  auto store = connect(path);
  if (!store) return store;
  if (Result<void> prepared = (*store)->prepare_file(); !prepared) return std::unexpected(prepared.error());
  if (Result<void> read = (*store)->read_marks(); !read) return std::unexpected(read.error());
  return store;
}

SqliteMetadataStore::~SqliteMetadataStore() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  if (keeps_log_) leave_log();
  sqlite3_close(database_);
}

// The log stays with its blocks, and without anything that would be taken for changes: of that SQLite would see
// to by removing it. If it is not all in the database yet it is left as it is.
void SqliteMetadataStore::leave_log() {
  int frames = -1;
  int moved = -1;
  const bool all_moved =
      sqlite3_wal_checkpoint_v2(database_, nullptr, SQLITE_CHECKPOINT_FULL, &frames, &moved) == SQLITE_OK &&
      frames == moved;
  // With a limit the log would be cut to nothing at the end.
  if (!all_moved || !run("PRAGMA journal_size_limit=-1") || !blank_log(path_)) return;
  int keep = 1;
  sqlite3_file_control(database_, nullptr, SQLITE_FCNTL_PERSIST_WAL, &keep);
}

Result<void> SqliteMetadataStore::prepare_file() {
  // Exclusive locking before the first access: the write-ahead log then needs no shared memory, and the lock
  // is kept.
  for (const char* sql :
       {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA temp_store=MEMORY", "PRAGMA cache_size=-2048"}) {
    if (Result<void> done = run(sql); !done) return done;
  }
  // The write-ahead log is a property of the file. Where a file system cannot do it the rollback journal
  // stays: as safe, and slower.
  if (Result<void> done = run("PRAGMA synchronous=FULL"); !done) return done;
  // Takes the lock, which reading alone would share with other readers.
  if (Result<void> done = run("BEGIN EXCLUSIVE; COMMIT"); !done) return done;
  std::uint64_t format = 0;
  {
    Statement version(*this, "PRAGMA user_version");
    const Result<bool> row = version.step();
    if (!row) return std::unexpected(row.error());
    format = version.number(0);
  }
  if (format == kFormat) return keep_log();
  if (format == 0)
    return fail(Errc::corrupt, "the file " + path_ + " belongs to another program; move it away");
  return fail(Errc::unsupported, "the metadata file " + path_ + " has format " + std::to_string(format) +
                                     " and was written by a newer release; this one knows format " +
                                     std::to_string(kFormat));
}

Result<void> SqliteMetadataStore::keep_log() {
  if (Result<void> done = run(("PRAGMA journal_size_limit=" + std::to_string(kLogBytesKeptMax)).c_str());
      !done)
    return done;
  // After a kill it begins anew only when what it holds is in the database; where that finds no room it goes on
  // behind.
  sqlite3_wal_checkpoint_v2(database_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  reserve_log(path_);
  keeps_log_ = true;
  return {};
}

Result<void> SqliteMetadataStore::make_tables() {
  return in_transaction([&]() -> Result<void> {
    for (const char* sql : {"CREATE TABLE entries(version INTEGER PRIMARY KEY, batch BLOB NOT NULL)",
                            "CREATE TABLE snapshot(part INTEGER PRIMARY KEY, chunk BLOB NOT NULL)",
                            "CREATE TABLE marks(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
                            "CREATE TABLE epochs(broker INTEGER PRIMARY KEY, epoch INTEGER NOT NULL)"}) {
      if (Result<void> done = run(sql); !done) return done;
    }
    if (Result<void> done = run(("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str()); !done)
      return done;
    return run(("PRAGMA user_version=" + std::to_string(kFormat)).c_str());
  });
}

Result<void> SqliteMetadataStore::read_marks() {
  for (const char* name : {"head", "snapshot_version"}) {
    Statement mark(*this, "SELECT value FROM marks WHERE name=?");
    const Result<bool> row = mark.bind(name).step();
    if (!row) return std::unexpected(row.error());
    if (!*row) continue;
    if (name == std::string_view("head")) {
      head_ = MetadataVersion{mark.number(0)};
    } else {
      snapshot_version_ = MetadataVersion{mark.number(0)};
      has_snapshot_ = true;
    }
  }
  return {};
}

Result<void> SqliteMetadataStore::set_mark(const char* name, std::uint64_t value) {
  return Statement(*this, "INSERT OR REPLACE INTO marks(name, value) VALUES(?, ?)")
      .bind(name)
      .bind(value)
      .run();
}

Result<MetadataVersion> SqliteMetadataStore::head() {
  if (broken_) return std::unexpected(*broken_);
  return head_;
}

Result<MetadataVersion> SqliteMetadataStore::append(MetadataVersion expected_head, Bytes batch) {
  if (broken_) return std::unexpected(*broken_);
  if (batch.size() > cluster::kEntryBytesMax) return std::unexpected(cluster::entry_too_large(batch.size()));
  if (head_ != expected_head) return std::unexpected(cluster::wrong_head(expected_head, head_));
  const MetadataVersion version = head_.next();
  const Result<void> done = in_transaction([&]() -> Result<void> {
    Result<void> inserted = Statement(*this, "INSERT INTO entries(version, batch) VALUES(?, ?)")
                                .bind(version.value)
                                .bind(batch)
                                .run();
    return inserted ? set_mark("head", version.value) : inserted;
  });
  if (!done) return std::unexpected(done.error());
  head_ = version;
  if (on_change_) on_change_(head_);
  return version;
}

Result<std::vector<cluster::StoreEntry>> SqliteMetadataStore::read(MetadataVersion first,
                                                                   std::size_t entries_max) {
  if (broken_) return std::unexpected(*broken_);
  std::vector<cluster::StoreEntry> entries;
  if (first > head_) return entries;
  Statement rows(*this, "SELECT version, batch FROM entries WHERE version>=? ORDER BY version LIMIT ?");
  rows.bind(first.value).bind(std::uint64_t{entries_max});
  for (MetadataVersion expected = first;; expected = expected.next()) {
    const Result<bool> row = rows.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const MetadataVersion version{rows.number(0)};
    if (version != expected) {
      if (entries.empty()) return std::unexpected(cluster::entry_forgotten(first));
      return fail(Errc::corrupt, "the metadata file " + path_ + " lacks entry " +
                                     std::to_string(expected.value) + "; restore it from a backup");
    }
    entries.push_back({version, rows.blob(1)});
  }
  if (entries.empty() && entries_max > 0) return std::unexpected(cluster::entry_forgotten(first));
  return entries;
}

Result<void> SqliteMetadataStore::put_snapshot(MetadataVersion version, const std::vector<Buffer>& chunks) {
  if (broken_) return std::unexpected(*broken_);
  for (const Buffer& chunk : chunks) {
    if (chunk.size() > cluster::kEntryBytesMax)
      return std::unexpected(cluster::entry_too_large(chunk.size()));
  }
  if (has_snapshot_ && version <= snapshot_version_) return {};
  const Result<void> done = in_transaction([&]() -> Result<void> {
    if (Result<void> step = Statement(*this, "DELETE FROM snapshot").run(); !step) return step;
    for (std::size_t part = 0; part < chunks.size(); ++part) {
      Result<void> step = Statement(*this, "INSERT INTO snapshot(part, chunk) VALUES(?, ?)")
                              .bind(std::uint64_t{part})
                              .bind(Bytes(chunks[part]))
                              .run();
      if (!step) return step;
    }
    Result<void> step = Statement(*this, "DELETE FROM entries WHERE version<=?").bind(version.value).run();
    return step ? set_mark("snapshot_version", version.value) : step;
  });
  if (!done) return done;
  snapshot_version_ = version;
  has_snapshot_ = true;
  return {};
}

Result<std::optional<cluster::SnapshotData>> SqliteMetadataStore::get_snapshot() {
  if (broken_) return std::unexpected(*broken_);
  if (!has_snapshot_) return std::nullopt;
  cluster::SnapshotData snapshot{snapshot_version_, {}};
  Statement rows(*this, "SELECT chunk FROM snapshot ORDER BY part");
  while (true) {
    const Result<bool> row = rows.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return snapshot;
    snapshot.chunks.push_back(rows.blob(0));
  }
}

void SqliteMetadataStore::watch_head(std::function<void(MetadataVersion)> on_change) {
  on_change_ = std::move(on_change);
}

Result<std::int64_t> SqliteMetadataStore::register_broker(const cluster::Registration& registration) {
  const auto broker = static_cast<std::uint64_t>(registration.broker.value);
  std::int64_t epoch = 0;
  const Result<void> done = in_transaction([&]() -> Result<void> {
    {
      Statement last(*this, "SELECT epoch FROM epochs WHERE broker=?");
      const Result<bool> row = last.bind(broker).step();
      if (!row) return std::unexpected(row.error());
      epoch = (*row ? static_cast<std::int64_t>(last.number(0)) : 0) + 1;
    }
    return Statement(*this, "INSERT OR REPLACE INTO epochs(broker, epoch) VALUES(?, ?)")
        .bind(broker)
        .bind(static_cast<std::uint64_t>(epoch))
        .run();
  });
  if (!done) return std::unexpected(done.error());
  cluster::Registration& present = registrations_[registration.broker];
  present = registration;
  present.epoch = epoch;
  return epoch;
}

Result<void> SqliteMetadataStore::expire_broker(BrokerId broker, std::int64_t epoch) {
  if (broken_) return std::unexpected(*broken_);
  const auto present = registrations_.find(broker);
  if (present != registrations_.end() && present->second.epoch == epoch) registrations_.erase(present);
  return {};
}

Result<std::vector<cluster::Registration>> SqliteMetadataStore::registrations() {
  if (broken_) return std::unexpected(*broken_);
  std::vector<cluster::Registration> all;
  for (const auto& [id, registration] : registrations_) all.push_back(registration);
  return all;
}

}  // namespace tailwater::shell
