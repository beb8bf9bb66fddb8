#include "apps/log/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/log/audit.hpp"
#include "shell/disk/descriptor.hpp"
#include "shell/disk/disk_error.hpp"

namespace tailwater::apps::logtools {

namespace {

constexpr std::uint64_t kWindow = std::uint64_t{1} << 20;
constexpr std::uint64_t kSearchWindow = std::uint64_t{64} << 20;
constexpr std::uint64_t kBatchMax = std::uint64_t{256} << 20;

Error disk_error(const std::string& path, int error) {
  const Errc code = error == ENOENT ? Errc::not_found : Errc::storage;
  return {code, path + ": " + shell::errno_text(error)};
}

Result<void> write_whole(int file, const std::string& path, std::uint64_t at, Bytes content) {
  while (!content.empty()) {
    const ssize_t written = ::pwrite(file, content.data(), content.size(), static_cast<off_t>(at));
    if (written < 0) return std::unexpected(disk_error(path, errno));
    content = content.subspan(static_cast<std::size_t>(written));
    at += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<void> sync_whole(int file, const std::string& path) {
  if (::fsync(file) != 0) return std::unexpected(disk_error(path, errno));
  return {};
}

}  // namespace

Result<Buffer> Files::load(const std::string& path) {
  const auto bytes = size(path);
  if (!bytes) return fail(Errc::not_found, path + " does not exist");
  Buffer content(*bytes);
  const auto got = read(path, 0, content);
  if (!got) return std::unexpected(got.error());
  content.resize(*got);
  return content;
}

// --- RealFiles

std::optional<std::uint64_t> RealFiles::size(const std::string& path) {
  struct stat status{};
  if (::stat((folder_ + "/" + path).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::size_t> RealFiles::read_at(const std::string& path, std::uint64_t at, MutableBytes out) const {
  const shell::Descriptor file(::open((folder_ + "/" + path).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::unexpected(disk_error(path, errno));
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(file.get(), out.data() + done, out.size() - done, static_cast<off_t>(at + done));
    if (got < 0) return std::unexpected(disk_error(path, errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::vector<std::string> RealFiles::list(const std::string& path) const {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir((folder_ + "/" + path).c_str()), ::closedir);
  if (!folder) return names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status{};
    const bool known = ::stat((folder_ + "/" + path + "/" + name).c_str(), &status) == 0;
    names.push_back(known && S_ISDIR(status.st_mode) ? name + "/" : name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> RealFiles::replace(const std::string& path, Bytes content) const {
  const std::string whole = folder_ + "/" + path;
  const std::string passing = whole + ".tmp";
  {
    const shell::Descriptor file(::open(passing.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file) return std::unexpected(disk_error(path, errno));
    if (auto done = write_whole(file.get(), path, 0, content); !done) return done;
    if (auto done = sync_whole(file.get(), path); !done) return done;
  }
  return rename(path + ".tmp", path);
}

Result<void> RealFiles::rename(const std::string& from, const std::string& path) const {
  const std::string whole = folder_ + "/" + path;
  if (::rename((folder_ + "/" + from).c_str(), whole.c_str()) != 0)
    return std::unexpected(disk_error(path, errno));
  const std::string parent = whole.substr(0, whole.rfind('/'));
  const shell::Descriptor folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return std::unexpected(disk_error(path, errno));
  return {};
}

Result<void> RealFiles::overwrite(const std::string& path, std::uint64_t at, Bytes content) const {
  const shell::Descriptor file(::open((folder_ + "/" + path).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return std::unexpected(disk_error(path, errno));
  if (auto done = write_whole(file.get(), path, at, content); !done) return done;
  return sync_whole(file.get(), path);
}

Result<void> RealFiles::gather(const std::string& from, const std::vector<FileRange>& ranges,
                               const std::string& to) const {
  const shell::Descriptor file(
      ::open((folder_ + "/" + to).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return std::unexpected(disk_error(to, errno));
  Buffer window;
  std::uint64_t written = 0;
  for (const FileRange& range : ranges) {
    for (std::uint64_t at = range.from; at < range.to;) {
      window.resize(std::min(kWindow, range.to - at));
      const auto got = read_at(from, at, window);
      if (!got) return std::unexpected(got.error());
      if (*got == 0) break;
      if (auto done = write_whole(file.get(), to, written, Bytes(window).first(*got)); !done) return done;
      written += *got;
      at += *got;
    }
  }
  return sync_whole(file.get(), to);
}

Result<void> RealFiles::remove(const std::string& path) const {
  if (::unlink((folder_ + "/" + path).c_str()) != 0 && errno != ENOENT)
    return std::unexpected(disk_error(path, errno));
  return {};
}

// --- walking

namespace {

// What the batch at the beginning of `bytes` says that it takes; nothing if it does not say so here.
std::optional<std::uint64_t> claimed_size(Bytes bytes) {
  if (bytes.size() < records::kLogOverhead) return std::nullopt;
  const auto length = load_big<std::int32_t>(bytes.data() + records::at::kBatchLength);
  return records::kLogOverhead + static_cast<std::uint64_t>(std::max(length, 0));
}

}  // namespace

Result<void> walk_segment(Files& files, const std::string& path, std::uint64_t limit, const Walk& walk) {
  Buffer window;
  std::uint64_t at = 0;
  std::uint64_t needed = 0;  // by the batch at `at`
  std::uint64_t damaged_from = 0;
  std::string damage;
  while (at < limit) {
    window.resize(std::min(limit - at, damage.empty() ? std::max(kWindow, needed) : kSearchWindow));
    const auto got = files.read(path, at, window);
    if (!got) return std::unexpected(got.error());
    const Bytes bytes = Bytes(window).first(*got);
    const bool last = at + window.size() == limit || bytes.size() < window.size();
    if (!damage.empty()) {
      const std::size_t found = log::find_batch(bytes, 0, walk.floor());
      if (found == bytes.size() && last) break;
      if (found < bytes.size()) {
        walk.damage(damaged_from, at + found, damage);
        damage.clear();
      }
      // A batch may begin in what is here and end in what is not: it is looked for again from half way on.
      at += found < bytes.size() ? found : bytes.size() / 2;
      continue;
    }
    std::size_t taken = 0;
    needed = 0;
    while (taken < bytes.size() && damage.empty()) {
      const Bytes rest = bytes.subspan(taken);
      const auto claimed = claimed_size(rest);
      const bool possible = !claimed || (*claimed <= kBatchMax && at + taken + *claimed <= limit);
      if (!last && possible && claimed.value_or(UINT64_MAX) > rest.size()) {
        needed = claimed.value_or(0);
        break;
      }
      const Result<records::BatchView> batch = records::parse_batch(rest);
      if (batch) {
        damage = walk.batch(at + taken, *batch);
      } else {
        damage = batch.error().code == Errc::truncated ? "a batch is cut short" : "the bytes are no batch";
      }
      if (!damage.empty()) damaged_from = at + taken;
      taken += damage.empty() ? batch->size() : 1;
    }
    at += taken;
    if (walk.progress) walk.progress(taken);
    if (damage.empty() && bytes.size() < window.size()) {
      walk.damage(at, limit, "the file ends here");
      return {};
    }
  }
  if (!damage.empty()) walk.damage(damaged_from, limit, damage);
  return {};
}

}  // namespace tailwater::apps::logtools
