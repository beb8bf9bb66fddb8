#include "apps/log/folder.hpp"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

namespace tailwater::apps::logtools {

namespace {

// All of `text` as a number up to this one.
std::optional<std::uint64_t> number(std::string_view text, std::uint64_t max = INT64_MAX) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || value > max)
    return std::nullopt;
  return value;
}

}  // namespace

Result<void> work_as_owner(const std::string& path) {
  struct stat status{};
  if (::geteuid() != 0 || ::stat(path.c_str(), &status) != 0 || status.st_uid == 0) return {};
  if (::setgroups(0, nullptr) == 0 && ::setgid(status.st_gid) == 0 && ::setuid(status.st_uid) == 0) return {};
  return fail(Errc::storage, path + " belongs to user " + std::to_string(status.st_uid) +
                                 ", who this cannot become: " + std::strerror(errno) +
                                 "; run it as that user");
}

Result<Folder> Folder::open(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return fail(Errc::not_found, path + " is no folder");
  RealFiles files(path);
  if (files.list("journal").empty()) {
    return fail(Errc::not_found,
                path + " is no log directory of a broker: it has no journal; name a folder of log.dirs");
  }
  auto directory = shell::LogDirectory::prepare(DirId{0}, path, {.busy_advice = "stop that broker first"});
  if (!directory) return std::unexpected(directory.error());
  return Folder(std::move(files), std::move(*directory));
}

std::vector<std::string> Folder::journals() const {
  std::vector<std::pair<std::uint32_t, bool>> found;
  for (std::string_view name : files_.list("journal")) {
    if (!name.ends_with(".jnl")) continue;
    name.remove_suffix(4);
    const bool soft = name.ends_with("-os");
    if (soft) name.remove_suffix(3);
    if (const auto shard = number(name, UINT32_MAX))
      found.emplace_back(static_cast<std::uint32_t>(*shard), soft);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (const auto& [shard, soft] : found) names.push_back(log::journal_name(shard, soft));
  return names;
}

bool Folder::has_soft_ring(const std::string& journal) {
  const std::string shard = journal.substr(0, journal.find('-'));
  return files_.size(ring(shard + "-os")).has_value();
}

bool Folder::is_half_dealt() const {
  const auto names = files_.list("manifest");
  return std::find(names.begin(), names.end(), "dealt") != names.end();
}

std::vector<std::string> Folder::log_folders() const {
  std::vector<std::string> found;
  for (std::string name : files_.list(".")) {
    if (!name.ends_with('/')) continue;
    name.pop_back();
    const std::size_t dash = name.rfind('-');
    if (dash != std::string::npos && number(std::string_view(name).substr(dash + 1), INT32_MAX))
      found.push_back(name);
  }
  return found;
}

std::vector<Offset> Folder::segments(const std::string& log_folder) const {
  std::vector<Offset> found;
  for (std::string_view name : files_.list(log_folder)) {
    if (!name.ends_with(".log")) continue;
    if (const auto base = number(name.substr(0, name.size() - 4)))
      found.push_back(Offset{static_cast<std::int64_t>(*base)});
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::uint64_t> Folder::generations(const std::string& journal) const {
  const std::string mark = journal + "-";
  std::vector<std::uint64_t> found;
  for (std::string_view name : files_.list("manifest")) {
    if (!name.starts_with(mark)) continue;
    if (const auto generation = number(name.substr(mark.size()))) found.push_back(*generation);
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<Folder::Head> Folder::head(const std::string& journal) {
  Buffer bytes(2 * journal::kBlock);
  const auto got = files_.read(ring(journal), 0, bytes);
  if (!got) return std::unexpected(got.error());
  bytes.resize(*got);
  Head head;
  const Bytes all = bytes;
  for (std::size_t each = 0; each < 2 && (each + 1) * journal::kBlock <= all.size(); ++each) {
    const Bytes block = all.subspan(each * journal::kBlock, journal::kBlock);
    const Bytes copy = block.subspan(journal::kBlock / 2);
    head.blocks[each] = journal::decode_superblock(block);
    head.healed[each] = head.blocks[each] && !std::equal(copy.begin(), copy.end(), block.begin());
  }
  head.state = journal::read_ring_head(all, head.counts);
  return head;
}

Result<log::Manifest> Folder::load_manifest(const std::string& journal, std::uint64_t generation) {
  const std::string path = manifest(journal, generation);
  const auto content = files_.load(path);
  if (!content) return std::unexpected(content.error());
  auto decoded = log::decode_manifest(*content);
  if (!decoded) return fail(decoded.error().code, path + ": " + decoded.error().message);
  return decoded;
}

Result<void> Folder::commit(const std::string& journal, log::Manifest& state) {
  auto now = head(journal);
  if (!now) return std::unexpected(now.error());
  if (now->state != journal::RingHead::formatted || !now->counts.clean)
    return fail(Errc::storage, ring(journal) + " was not stopped cleanly");
  journal::Superblock& superblock = now->counts;
  state.generation = superblock.manifest_generation + 1;
  state.journal_id = superblock.journal_id;
  state.checkpoint = superblock.trim;
  const std::string path = manifest(journal, state.generation);
  if (auto done = files_.replace(path, log::encode(state)); !done) return done;
  ++superblock.sequence;
  superblock.manifest_generation = state.generation;
  Buffer block(journal::kBlock);
  journal::encode(superblock, block);
  const std::uint64_t at = journal::superblock_position(superblock.sequence);
  if (auto done = files_.overwrite(ring(journal), at, block); !done) return done;
  // The manifest before stays, so that there is something to look at should this one rot.
  for (const std::uint64_t old : generations(journal)) {
    if (old + 1 >= state.generation) continue;
    if (auto done = files_.remove(manifest(journal, old)); !done) return done;
  }
  return {};
}

}  // namespace tailwater::apps::logtools
