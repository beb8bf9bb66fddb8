#include "shell/broker/meta_properties.hpp"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <map>
#include <utility>

#include "shell/disk/descriptor.hpp"
#include "shell/disk/disk_error.hpp"

namespace tailwater::shell {

namespace {

constexpr std::string_view kFileName = "meta.properties";
constexpr std::size_t kFileBytesMax = 64 * 1024;

std::string path_of(const std::string& directory) {
  return fmt::format("{}/{}", directory, kFileName);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

Result<std::optional<std::string>> read_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return std::nullopt;
    return fail(Errc::storage, fmt::format("cannot read {}: {}", path, errno_text(errno)));
  }
  std::string text(kFileBytesMax, 0);
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got < 0) return fail(Errc::storage, fmt::format("cannot read {}: {}", path, errno_text(errno)));
  text.resize(static_cast<std::size_t>(got));
  return text;
}

// All or nothing, and durable.
Result<void> write_file(const std::string& directory, std::string_view text) {
  const std::string path = path_of(directory);
  const std::string temporary = path + ".tmp";
  const auto failed = [&] {
    return fail(Errc::storage, fmt::format("cannot write {}: {}", path, errno_text(errno)));
  };
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return failed();
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return failed();
  if (::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) return failed();
  const Descriptor folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return failed();
  return {};
}

struct Found {
  std::vector<std::optional<MetaProperties>> files;
  std::string cluster_id;
};

// Nothing: the directory has none, or is not usable.
std::optional<MetaProperties> read_one(const std::string& path, std::size_t index,
                                       UnusableDirectories& unusable) {
  if (unusable.contains(index)) return std::nullopt;
  auto text = read_file(path);
  if (!text) {
    unusable.emplace(index, text.error());
    return std::nullopt;
  }
  if (!*text) return std::nullopt;
  auto properties = parse_meta_properties(**text);
  if (properties) return std::move(*properties);
  unusable.emplace(index,
                   Error{properties.error().code, fmt::format("{}: {}", path, properties.error().message)});
  return std::nullopt;
}

Result<Found> read_all(const std::vector<std::string>& directories, const IdentityWish& wish,
                       UnusableDirectories& unusable) {
  Found found;
  found.cluster_id = wish.cluster_id;
  std::string said_by = "the configuration";
  for (std::size_t index = 0; index < directories.size(); ++index) {
    const std::string& directory = directories[index];
    const std::string path = path_of(directory);
    auto properties = read_one(path, index, unusable);
    if (!properties) {
      found.files.emplace_back();
      continue;
    }
    if (properties->broker != wish.broker) {
      return fail(
          Errc::invalid_argument,
          fmt::format(
              "{} belongs to broker {}, but node.id is {}: if the data was moved, set node.id={}; for a new "
              "broker, give it an empty log directory",
              directory, properties->broker.value, wish.broker.value, properties->broker.value));
    }
    if (found.cluster_id.empty()) {
      found.cluster_id = properties->cluster_id;
      said_by = path;
    } else if (properties->cluster_id != found.cluster_id) {
      return fail(
          Errc::invalid_argument,
          fmt::format(
              "{} belongs to cluster {}, but {} says {}: one broker cannot serve data of two clusters",
              directory, properties->cluster_id, said_by, found.cluster_id));
    }
    found.files.emplace_back(std::move(*properties));
  }
  return found;
}

}  // namespace

std::string format_meta_properties(const MetaProperties& properties) {
  return fmt::format("version=1\ncluster.id={}\nnode.id={}\ndirectory.id={}\n", properties.cluster_id,
                     properties.broker.value, to_string(properties.directory));
}

Result<MetaProperties> parse_meta_properties(std::string_view text) {
  std::map<std::string, std::string, std::less<>> values;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line[0] == '#' || line[0] == '!') continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos)
      return fail(Errc::malformed, fmt::format("'{}' is no key=value line", line));
    values[std::string(trim(line.substr(0, equals)))] = trim(line.substr(equals + 1));
  }
  const std::string version = values["version"];
  if (version != "0" && version != "1") {
    return fail(Errc::unsupported, fmt::format("version '{}' is not known; known are 0 and 1", version));
  }
  MetaProperties properties;
  properties.cluster_id = values["cluster.id"];
  if (properties.cluster_id.empty()) return fail(Errc::malformed, "cluster.id is missing");
  const std::string& broker = version == "0" ? values["broker.id"] : values["node.id"];
  const auto [end, error] =
      std::from_chars(broker.data(), broker.data() + broker.size(), properties.broker.value);
  if (error != std::errc() || end != broker.data() + broker.size()) {
    return fail(Errc::malformed, fmt::format("the broker's id '{}' is no number", broker));
  }
  if (const std::string& id = values["directory.id"]; !id.empty()) {
    const auto parsed = parse_uuid(id);
    if (!parsed) return fail(Errc::malformed, fmt::format("directory.id '{}' is no id of 22 characters", id));
    properties.directory = *parsed;
  }
  return properties;
}

Result<DirectoryIdentity> identify_directories(const std::vector<std::string>& directories,
                                               const IdentityWish& wish, UnusableDirectories& unusable) {
  auto found = read_all(directories, wish, unusable);
  if (!found) return std::unexpected(found.error());
  DirectoryIdentity identity;
  identity.cluster_id = found->cluster_id.empty() ? to_string(wish.new_uuid()) : found->cluster_id;
  std::map<Uuid, std::string> owners;
  identity.directories.resize(directories.size());
  for (std::size_t index = 0; index < directories.size(); ++index) {
    if (unusable.contains(index)) continue;
    const std::optional<MetaProperties>& file = found->files[index];
    MetaProperties properties = file.value_or(MetaProperties{identity.cluster_id, wish.broker, {}});
    if (properties.directory.is_zero()) properties.directory = wish.new_uuid();
    const auto [owner, fresh] = owners.emplace(properties.directory, directories[index]);
    if (!fresh) {
      return fail(
          Errc::invalid_argument,
          fmt::format(
              "{} and {} have the same directory.id: one is a copy of the other; take one of them out of "
              "log.dirs",
              owner->second, directories[index]));
    }
    if (file != properties) {
      auto written = write_file(directories[index], format_meta_properties(properties));
      if (!written) {
        unusable.emplace(index, written.error());
        continue;
      }
    }
    identity.directories[index] = properties.directory;
  }
  return identity;
}

}  // namespace tailwater::shell
