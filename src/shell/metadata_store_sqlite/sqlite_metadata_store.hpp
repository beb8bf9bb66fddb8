// The metadata store of a single broker: the changelog in an SQLite file, `metadata.sqlite` in one of the log
// directories (metadata_place.hpp says in which).
#pragma once

//   entries(version, batch)   the changelog
//   snapshot(part, chunk)     the newest snapshot, whole or none
//   marks(name, value)        head, snapshot_version
//   epochs(broker, epoch)     the last epoch given to a broker; registrations end with the process
//
// GUARANTEES: what append() answered is on stable storage (write-ahead log with synchronous=FULL, one sync
// per entry). The file is locked for as long as the store is open: a second process is told that it is in
// use. After an error that leaves open what is on the disk, every later call fails until the store is opened
// again. Once opened, it can be opened again on a full disk, and written a little: the write-ahead log keeps
// blocks of its own, with nothing in them after a clean end.
//
// Used by one thread at a time.

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "core/cluster/metadata_store.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace tailwater::shell {

class SqliteMetadataStore : public cluster::MetadataStore {
 public:
  static constexpr std::string_view kFileName = "metadata.sqlite";

  enum class Presence : std::uint8_t {
    none,   // nothing, or a file without a byte
    whole,  // a file, whatever is in it
    parts,  // changes of a file that is not there
  };
  static Result<Presence> look(const std::string& folder);

  // Opens the store in this folder, which exists; makes it if there is none. What is in the way of a look at it, and
  // what is left of one that is gone, is an error: a new store would take its place.
  static Result<std::unique_ptr<SqliteMetadataStore>> open(const std::string& folder);
  ~SqliteMetadataStore() override;
  SqliteMetadataStore(const SqliteMetadataStore&) = delete;
  SqliteMetadataStore& operator=(const SqliteMetadataStore&) = delete;

  Result<cluster::MetadataVersion> head() override;
  Result<cluster::MetadataVersion> append(cluster::MetadataVersion expected_head, Bytes batch) override;
  Result<std::vector<cluster::StoreEntry>> read(cluster::MetadataVersion first,
                                                std::size_t entries_max) override;
  Result<void> put_snapshot(cluster::MetadataVersion version, const std::vector<Buffer>& chunks) override;
  Result<std::optional<cluster::SnapshotData>> get_snapshot() override;
  void watch_head(std::function<void(cluster::MetadataVersion)> on_change) override;
  Result<std::int64_t> register_broker(const cluster::Registration& registration) override;
  Result<void> expire_broker(BrokerId broker, std::int64_t epoch) override;
  Result<std::vector<cluster::Registration>> registrations() override;

 private:
  class Statement;

  SqliteMetadataStore(std::string path, sqlite3* database) : path_(std::move(path)), database_(database) {}

  static Result<void> make_file(const std::string& folder, const std::string& path);
  static Result<std::unique_ptr<SqliteMetadataStore>> connect(const std::string& path);
  Result<void> prepare_file();
  Result<void> keep_log();
  void leave_log();
  Result<void> make_tables();
  Result<void> run(const char* sql);
  Result<void> read_marks();
  // Runs `work` between BEGIN and COMMIT; rolls back if it fails.
  template <class Work>
  Result<void> in_transaction(Work work);
  Result<void> set_mark(const char* name, std::uint64_t value);
  Error error_now(int code);

  std::string path_;
  sqlite3* database_;
  std::map<std::string, sqlite3_stmt*> statements_;  // by their text, prepared once
  cluster::MetadataVersion head_;
  cluster::MetadataVersion snapshot_version_;
  bool has_snapshot_ = false;
  std::map<BrokerId, cluster::Registration> registrations_;
  std::function<void(cluster::MetadataVersion)> on_change_;
  std::optional<Error> broken_;
  bool keeps_log_ = false;
};

}  // namespace tailwater::shell
