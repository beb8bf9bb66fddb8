#include "shell/broker/metadata_place.hpp"

#include <dirent.h>
#include <errno.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string_view>

#include "shell/disk/disk_error.hpp"
#include "shell/metadata_store_sqlite/sqlite_metadata_store.hpp"

namespace tailwater::shell {

namespace {

using Presence = SqliteMetadataStore::Presence;

struct Close {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Result<bool> has_files(const std::string& path) {
  const auto failed = [&] {
    return fail(Errc::storage, fmt::format("cannot look into {}: {}", path, errno_text(errno)));
  };
  const std::unique_ptr<DIR, Close> folder(::opendir(path.c_str()));
  if (!folder && errno == ENOENT) return false;
  if (!folder) return failed();
  errno = 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") return true;
  }
  if (errno != 0) return failed();
  return false;
}

// Of a broker, as far as it would matter to a new one.
Result<bool> holds_data(const std::string& directory) {
  for (const char* folder : {"journal", "manifest"}) {
    auto any = has_files(fmt::format("{}/{}", directory, folder));
    if (!any || *any) return any;
  }
  return false;
}

}  // namespace

Result<std::size_t> find_metadata(const std::vector<std::string>& directories,
                                  const UnusableDirectories& unusable) {
  std::optional<std::size_t> holder;
  Presence holds = Presence::none;
  for (std::size_t index = 0; index < directories.size(); ++index) {
    if (unusable.contains(index)) continue;
    const auto there = SqliteMetadataStore::look(directories[index]);
    if (!there) return std::unexpected(there.error());
    if (*there == Presence::none) continue;
    if (holder && *there != holds) {
      const std::size_t file = holds == Presence::whole ? *holder : index;
      const std::size_t changes = holds == Presence::whole ? index : *holder;
      return fail(
          Errc::invalid_argument,
          fmt::format("{1}/{2}-wal has the latest changes of the metadata file that is now in {0} ({2}): "
                      "put both into one log directory",
                      directories[file], directories[changes], SqliteMetadataStore::kFileName));
    }
    if (holder) {
      return fail(
          Errc::invalid_argument,
          fmt::format("{} and {} both hold metadata ({}): of one broker only the one that was changed last "
                      "can count; move the other file away",
                      directories[*holder], directories[index], SqliteMetadataStore::kFileName));
    }
    holder = index;
    holds = *there;
  }
  if (holder) return *holder;
  if (!unusable.empty()) {
    const Error& why = unusable.begin()->second;
    if (directories.size() == 1) return std::unexpected(why);
    return fail(why.code,
                fmt::format("{}; no other log directory holds the broker's metadata ({}), so it cannot "
                            "start without this one",
                            why.message, SqliteMetadataStore::kFileName));
  }
  for (const std::string& directory : directories) {
    const auto data = holds_data(directory);
    if (!data) return std::unexpected(data.error());
    if (!*data) continue;
    return fail(Errc::corrupt,
                fmt::format("{} holds the logs of a broker, but no log directory holds its metadata ({}), "
                            "and without it all of "
                            "them would be removed. Is a disk not mounted, or a directory missing in "
                            "log.dirs? If the file is "
                            "lost, restore it from a backup; for a new broker, give it empty log directories",
                            directory, SqliteMetadataStore::kFileName));
  }
  return 0;
}

}  // namespace tailwater::shell
