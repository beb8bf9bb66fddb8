#include "shell/disk/folder_work.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "shell/disk/disk_error.hpp"
#include "shell/disk/file_system_sync.hpp"

namespace tailwater::shell {
namespace {

// Above so many files and folders one sync of the file system is cheaper than each by itself.
constexpr std::size_t kSyncsMax = 16;
// A file system that is given much back at once stalls; a large file is cut down in steps.
constexpr std::int64_t kCutBytes = 64 << 20;
constexpr std::size_t kZeroBytes = 1 << 20;

// Why something came to nothing; no error: it did not.
struct Failure {
  int error = 0;
  bool at_open = false;  // an open() said so, and an open() writes nothing
  explicit operator bool() const { return error != 0; }
  // Descriptors ran out, or the memory for one: nothing is lost, and it passes when others close theirs. What a
  // write or a sync says never does.
  bool passes() const { return at_open && (error == EMFILE || error == ENFILE || error == ENOMEM); }
};

Failure failed_open() {
  return {errno, true};
}

Failure failure_of(int answer) {
  return {answer == 0 ? 0 : errno, false};
}

// Folders that were opened before something was done in them that they are to be synced for.
using OpenFolders = std::map<std::pair<int, std::string>, Descriptor>;

// What must be synced for a result to be durable.
struct SyncWish {
  std::size_t result = 0;
  std::string folder;   // relative to the root; empty is the root itself
  int descriptor = -1;  // instead of a folder: a new file, owned by the result
};

// The folders that lead to `path`, from the root on: a name lasts only if all above it do.
std::vector<std::string> folders_to(const std::string& path) {
  std::vector<std::string> folders{""};
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    folders.push_back(path.substr(0, slash));
  }
  return folders;
}

struct Outcome {
  FolderJob& job;
  FolderResult& result;
  std::vector<SyncWish>& wishes;
  OpenFolders& open_folders;
  std::size_t index;

  void want_names(const std::string& path) {
    if (!job.durable) return;
    for (std::string& folder : folders_to(path)) wishes.push_back({index, std::move(folder), -1});
  }
  void want_file(int descriptor) {
    if (job.durable) wishes.push_back({index, {}, descriptor});
  }
  void fail_with(int error) { fail_with(Failure{error}); }
  void fail_with(Failure failure) {
    result.again = failure.passes();
    Error error = disk_error(job.kind, full_path(), failure.error);
    if (failure.passes()) error.code = Errc::out_of_space;
    result.outcome = std::unexpected(std::move(error));
  }
  void fail_as_too_large(std::uint64_t size) {
    result.outcome = fail(Errc::storage, "cannot " + std::string(to_string(job.kind)) + " " + full_path() +
                                             ": it has " + std::to_string(size) + " bytes, more than the " +
                                             std::to_string(job.bytes_max) + " that can be read at once");
  }
  std::string full_path() const { return job.path.empty() ? job.root.path : job.root.path + "/" + job.path; }
};

template <class Call>
auto again_if_interrupted(Call call) {
  auto answer = call();
  while (answer < 0 && errno == EINTR) answer = call();
  return answer;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

const char* at_root(const std::string& path) {
  return path.empty() ? "." : path.c_str();
}

Failure sync_file(int descriptor) {
  return failure_of(again_if_interrupted([&] { return ::fsync(descriptor); }));
}

Descriptor open_folder(const DiskRoot& root, const std::string& folder) {
  return Descriptor(::openat(root.folder, at_root(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

Failure sync_folder(const DiskRoot& root, const std::string& folder) {
  const Descriptor descriptor = open_folder(root, folder);
  return descriptor ? sync_file(descriptor.get()) : failed_open();
}

bool write_all(int descriptor, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        again_if_interrupted([&] { return ::write(descriptor, bytes.data(), bytes.size()); });
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

// --- open

struct Opened {
  Descriptor descriptor;
  bool direct = false;
  Failure failure;
};

Opened open_file(const FolderJob& job) {
  const int flags = O_RDWR | O_CLOEXEC | (job.create ? O_CREAT : 0);
  Opened opened;
  opened.descriptor = Descriptor(
      again_if_interrupted([&] { return ::openat(job.root.folder, job.path.c_str(), flags, 0644); }));
  if (!opened.descriptor) {
    opened.failure = failed_open();
    return opened;
  }
  // Asked for afterwards: a file system that refuses O_DIRECT does so only after it has made the file.
  opened.direct = job.direct && job.root.mode != DiskMode::buffered_fdatasync &&
                  ::fcntl(opened.descriptor.get(), F_SETFL, O_DIRECT) == 0;
  return opened;
}

// The lock is on the very descriptor that writes, so that it is free only when a dead process's writes have
// landed. True if it was taken and the path still names this file.
bool lock_file(const FolderJob& job, int descriptor, int& error) {
  error = 0;
  if (again_if_interrupted([&] { return ::flock(descriptor, LOCK_EX | LOCK_NB); }) != 0) {
    error = errno;
    return false;
  }
  struct stat mine{};
  struct stat named{};
  if (::fstat(descriptor, &mine) != 0 || ::fstatat(job.root.folder, job.path.c_str(), &named, 0) != 0) {
    error = errno == ENOENT ? EWOULDBLOCK : errno;
    return false;
  }
  if (mine.st_ino == named.st_ino && mine.st_dev == named.st_dev) return true;
  error = EWOULDBLOCK;
  return false;
}

void run_open(Outcome out) {
  FolderJob& job = out.job;
  Opened opened = open_file(job);
  if (opened.failure) return out.fail_with(opened.failure);
  // Also for a file that was there: it may have been created without being made durable.
  out.want_names(job.path);
  out.want_file(opened.descriptor.get());
  struct stat status{};
  int error = 0;
  if (::fstat(opened.descriptor.get(), &status) != 0) error = errno;
  if (error == 0 && !S_ISREG(status.st_mode)) error = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
  if (error == 0 && job.exclusive && !lock_file(job, opened.descriptor.get(), error)) {
    out.result.again = error == EWOULDBLOCK;
  }
  out.result.opened = std::move(opened.descriptor);  // it is synced through it, also if this fails
  if (error == EWOULDBLOCK) {
    out.result.outcome =
        fail(Errc::busy, out.full_path() + " is in use by another process: stop the other broker that uses " +
                             job.root.path + ", or give this one a folder of its own (log.dirs)");
  } else if (error != 0) {
    out.fail_with(error);
  } else {
    out.result.outcome = static_cast<std::uint64_t>(status.st_size);
    out.result.direct = opened.direct;
  }
}

// --- files

// Aligned, because a descriptor may be a direct one.
struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using AlignedMemory = std::unique_ptr<std::byte, Free>;

AlignedMemory aligned_zeros(std::size_t size) {
  AlignedMemory memory(static_cast<std::byte*>(std::aligned_alloc(kDiskBlock, size)));
  if (memory) std::memset(memory.get(), 0, size);
  return memory;
}

// Zeros from the file's end to the end of its last block, which has the bytes before as they are. Errno.
int fill_last_block(int descriptor, std::uint64_t size) {
  const std::uint64_t from = size - size % kDiskBlock;
  const AlignedMemory block = aligned_zeros(kDiskBlock);
  if (!block) return ENOMEM;
  const auto at = static_cast<off_t>(from);
  const ssize_t got = again_if_interrupted([&] { return ::pread(descriptor, block.get(), kDiskBlock, at); });
  if (got < 0) return errno;
  if (static_cast<std::uint64_t>(got) != size - from) return EIO;
  const ssize_t put = again_if_interrupted([&] { return ::pwrite(descriptor, block.get(), kDiskBlock, at); });
  if (put < 0) return errno;
  return put == static_cast<ssize_t>(kDiskBlock) ? 0 : EIO;
}

int write_zeros(int descriptor, std::uint64_t at, std::uint64_t end) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags < 0) return errno;
  if ((flags & O_DIRECT) != 0) {
    end = end + (kDiskBlock - end % kDiskBlock) % kDiskBlock;
    if (at % kDiskBlock != 0) {
      if (const int error = fill_last_block(descriptor, at); error != 0) return error;
      at += kDiskBlock - at % kDiskBlock;
    }
  }
  const AlignedMemory zeros = aligned_zeros(kZeroBytes);
  if (!zeros) return ENOMEM;
  while (at < end) {
    const std::size_t size = std::min<std::uint64_t>(kZeroBytes, end - at);
    const ssize_t written =
        again_if_interrupted([&] { return ::pwrite(descriptor, zeros.get(), size, static_cast<off_t>(at)); });
    if (written < 0) return errno;
    at += static_cast<std::uint64_t>(written);
  }
  return 0;
}

// File systems without fallocate: what the file grows by is written, so that later writes find their blocks.
// Its size grows with it, wished or not. Nobody writes behind the file's end, nor to the block that it cuts,
// while this goes on: what is there waits for its blocks.
int allocate_by_writing(int descriptor, std::uint64_t end) {
  struct stat status{};
  struct statvfs space{};
  if (::fstat(descriptor, &status) != 0 || ::fstatvfs(descriptor, &space) != 0) return errno;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size >= end) return 0;
  if (static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize < end - size) return ENOSPC;
  const int error = write_zeros(descriptor, size, end);
  // What it got of too little would fill the disk for everyone.
  if (error != 0) (void)again_if_interrupted([&] { return ::ftruncate(descriptor, status.st_size); });
  return error;
}

// A reservation that fails half way keeps what it got, and so would fill the disk for everyone: one that
// cannot succeed is not begun.
bool has_room(const FolderJob& job) {
  struct stat status{};
  struct statvfs space{};
  if (::fstat(job.descriptor, &status) != 0 || ::fstatvfs(job.descriptor, &space) != 0) return true;
  const bool is_there = static_cast<std::uint64_t>(status.st_blocks) * 512 >= job.at + job.size;
  return is_there || static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize >= job.size;
}

void run_preallocate(Outcome out) {
  FolderJob& job = out.job;
  if (job.size == 0) return;
  if (!has_room(job)) return out.fail_with(ENOSPC);
  const int mode = job.extend ? 0 : FALLOC_FL_KEEP_SIZE;
  int error = 0;
  if (again_if_interrupted([&] {
        return ::fallocate(job.descriptor, mode, static_cast<off_t>(job.at), static_cast<off_t>(job.size));
      }) != 0) {
    error = errno;
  }
  if (error == EOPNOTSUPP || error == ENOSYS) {
    error = allocate_by_writing(job.descriptor, job.at + job.size);
  }
  if (error != 0) return out.fail_with(error);
  out.result.outcome = job.size;
}

void run_zero(Outcome out) {
  FolderJob& job = out.job;
  if (again_if_interrupted([&] {
        return ::fallocate(job.descriptor, FALLOC_FL_ZERO_RANGE, static_cast<off_t>(job.at),
                           static_cast<off_t>(job.size));
      }) != 0) {
    return out.fail_with(errno);
  }
  out.result.outcome = job.size;
}

void run_truncate(Outcome out) {
  FolderJob& job = out.job;
  // The cut first, the sync after it: a file that was synced first may come back longer.
  if (again_if_interrupted([&] { return ::ftruncate(job.descriptor, static_cast<off_t>(job.size)); }) != 0 ||
      (job.durable && again_if_interrupted([&] { return ::fsync(job.descriptor); }) != 0)) {
    return out.fail_with(errno);
  }
  out.result.outcome = job.size;
}

void run_close(Outcome out) {
  // Linux has released the descriptor whatever close() says, so it must not be closed again.
  if (::close(out.job.descriptor) != 0 && errno != EINTR) out.fail_with(errno);
}

// --- folders

void run_create_folder(Outcome out) {
  FolderJob& job = out.job;
  for (std::size_t end = 0; end != std::string::npos;) {
    end = job.path.find('/', end == 0 ? 0 : end + 1);
    const std::string folder = job.path.substr(0, end);
    if (::mkdirat(job.root.folder, folder.c_str(), 0755) == 0) continue;
    struct stat status{};
    const int error = errno;
    const bool there = error == EEXIST && ::fstatat(job.root.folder, folder.c_str(), &status, 0) == 0;
    if (!there || !S_ISDIR(status.st_mode)) return out.fail_with(there ? ENOTDIR : error);
  }
  out.want_names(job.path + "/");
}

// Before anything is done there: of a rename that is done and cannot be made to last for want of a descriptor
// nobody could say what it is.
Failure open_before(Outcome& out, const std::string& path) {
  if (!out.job.durable) return {};
  for (std::string& folder : folders_to(path)) {
    Descriptor& descriptor = out.open_folders[{out.job.root.folder, folder}];
    if (!descriptor) descriptor = open_folder(out.job.root, folder);
    if (!descriptor) return failed_open();
  }
  return {};
}

void run_rename(Outcome out) {
  FolderJob& job = out.job;
  for (const std::string& path : {job.path2, job.path}) {
    if (const Failure failure = open_before(out, path)) return out.fail_with(failure);
  }
  if (::renameat(job.root.folder, job.path.c_str(), job.root.folder, job.path2.c_str()) != 0) {
    return out.fail_with(errno);
  }
  out.want_names(job.path2);
  out.want_names(job.path);
}

using OpenFolder = std::unique_ptr<DIR, decltype([](DIR* folder) { ::closedir(folder); })>;

// Names in a folder without "." and "..".
std::vector<std::string> names_in(const DiskRoot& root, const std::string& path, Failure& failure) {
  std::vector<std::string> names;
  failure = {};
  Descriptor descriptor(
      ::openat(root.folder, at_root(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!descriptor) {
    failure = failed_open();
    return names;
  }
  const OpenFolder folder(::fdopendir(descriptor.get()));
  if (!folder) {
    failure = failed_open();
    return names;
  }
  descriptor.release();
  errno = 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  failure = {errno};
  return names;
}

// Everything in a folder and below it, file by file. What is renamed meanwhile is met under its new name: a
// folder is looked at until a look finds nothing new.
Failure sync_tree(const DiskRoot& root, const std::string& folder) {
  std::set<std::string> met;
  for (bool more = true; more;) {
    more = false;
    Failure of_names;
    for (const std::string& name : names_in(root, folder, of_names)) {
      if (!met.insert(name).second) continue;
      more = true;
      const std::string path = folder.empty() ? name : folder + "/" + name;
      const Descriptor opened(
          ::openat(root.folder, path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
      struct stat status{};
      Failure failure = opened ? failure_of(::fstat(opened.get(), &status)) : failed_open();
      if (!failure && S_ISDIR(status.st_mode)) failure = sync_tree(root, path);
      if (!failure && S_ISREG(status.st_mode)) failure = sync_file(opened.get());
      const bool not_ours = failure.error == ELOOP || failure.error == ENXIO || failure.error == EACCES;
      if (failure && failure.error != ENOENT && !not_ours) return failure;
    }
    if (of_names) return of_names;
  }
  return sync_folder(root, folder);
}

Failure sync_all(const DiskRoot& root) {
  return root.syncfs ? Failure{root.file_system->run()} : sync_tree(root, "");
}

void run_sync_all(Outcome out) {
  for (const int file : out.job.files) {
    if (const Failure failure = sync_file(file)) return out.fail_with(failure);
  }
  if (const Failure failure = sync_all(out.job.root)) out.fail_with(failure);
}

enum class Cut : std::uint8_t { at_once, in_steps };

// Cut when it has no name any more: under its name another shard may have taken it for a segment of its own since,
// and then it has the new one, and there is nothing to remove.
Failure remove_large(const DiskRoot& root, const std::string& path) {
  const Descriptor file(::openat(root.folder, path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return failed_open();
  if (::unlinkat(root.folder, path.c_str(), 0) != 0) return {errno};
  // It is removed now. A file system that cannot cut what has no name frees it whole, which only takes longer.
  struct stat status{};
  if (::fstat(file.get(), &status) != 0 || status.st_nlink > 0) return {};
  for (std::int64_t size = status.st_size - kCutBytes; size > 0; size -= kCutBytes) {
    if (again_if_interrupted([&] { return ::ftruncate(file.get(), size); }) != 0) break;
  }
  return {};
}

// Depth is bounded by the broker's own layout: a partition's folder, and files.
Failure remove_tree(const DiskRoot& root, const std::string& path, Cut cut) {
  struct stat status{};
  if (::fstatat(root.folder, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return {errno};
  if (!S_ISDIR(status.st_mode)) {
    const bool is_large = S_ISREG(status.st_mode) && status.st_size > kCutBytes;
    if (cut == Cut::in_steps && is_large) return remove_large(root, path);
    return failure_of(::unlinkat(root.folder, path.c_str(), 0));
  }
  Failure of_names;
  for (const std::string& name : names_in(root, path, of_names)) {
    if (of_names) return of_names;
    const Failure failure = remove_tree(root, path + "/" + name, cut);
    if (failure && failure.error != ENOENT) return failure;
  }
  if (of_names) return of_names;
  return failure_of(::unlinkat(root.folder, path.c_str(), AT_REMOVEDIR));
}

void run_remove(Outcome out) {
  FolderJob& job = out.job;
  const Failure failure = remove_tree(job.root, job.path, job.still_open ? Cut::at_once : Cut::in_steps);
  if (failure && failure.error != ENOENT) return out.fail_with(failure);
  out.want_names(job.path);
}

// A temporary file's name is the same for all files of a folder below the root, so that a crash leaves one at
// most; lists do not show it. Files of the root itself, which may be replaced at the same time, have one
// each.
std::string temporary_of(const FolderJob& job) {
  const std::string folder = parent_of(job.path);
  if (folder.empty()) return "." + job.path + "." + job.temporary + ".tmp";
  return folder + "/." + job.temporary + ".tmp";
}

bool is_temporary(const std::string& name) {
  return name.starts_with('.') && name.ends_with(".tmp");
}

// More than could be read again is not written: whoever is told that the file is there gives up the one before.
void run_replace(Outcome out) {
  FolderJob& job = out.job;
  if (job.content.size() > job.bytes_max) return out.fail_as_too_large(job.content.size());
  const std::string temporary = temporary_of(job);
  const Descriptor file(
      ::openat(job.root.folder, temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return out.fail_with(failed_open());
  const bool done = write_all(file.get(), job.content) &&
                    again_if_interrupted([&] { return ::fsync(file.get()); }) == 0 &&
                    ::renameat(job.root.folder, temporary.c_str(), job.root.folder, job.path.c_str()) == 0;
  if (!done) {
    const int error = errno;
    ::unlinkat(job.root.folder, temporary.c_str(), 0);
    return out.fail_with(error);
  }
  job.durable = true;  // always: that is what it is for
  out.want_names(job.path);
  out.result.outcome = job.content.size();
}

void run_load(Outcome out) {
  FolderJob& job = out.job;
  const Descriptor file(::openat(job.root.folder, job.path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!file) return out.fail_with(failed_open());
  if (::fstat(file.get(), &status) != 0) return out.fail_with(errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > job.bytes_max) return out.fail_as_too_large(size);
  Buffer content(size);
  std::size_t got = 0;
  while (got < content.size()) {
    const ssize_t count =
        again_if_interrupted([&] { return ::read(file.get(), content.data() + got, content.size() - got); });
    if (count < 0) return out.fail_with(errno);
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  content.resize(got);
  out.result.outcome = got;
  out.result.content = std::move(content);
}

void run_list(Outcome out) {
  Failure failure;
  std::vector<std::string> names = names_in(out.job.root, out.job.path, failure);
  if (failure) return out.fail_with(failure);
  std::erase_if(names, is_temporary);
  std::ranges::sort(names);
  out.result.outcome = names.size();
  out.result.names = std::move(names);
}

void run(Outcome out) {
  switch (out.job.kind) {
    case DiskOpKind::open:
      return run_open(out);
    case DiskOpKind::close:
      return run_close(out);
    case DiskOpKind::preallocate:
      return run_preallocate(out);
    case DiskOpKind::truncate:
      return run_truncate(out);
    case DiskOpKind::zero:
      return run_zero(out);
    case DiskOpKind::sync_all:
      return run_sync_all(out);
    case DiskOpKind::create_folder:
      return run_create_folder(out);
    case DiskOpKind::rename:
      return run_rename(out);
    case DiskOpKind::remove:
      return run_remove(out);
    case DiskOpKind::replace:
      return run_replace(out);
    case DiskOpKind::load:
      return run_load(out);
    case DiskOpKind::list:
      return run_list(out);
    case DiskOpKind::read:
    case DiskOpKind::write:
    case DiskOpKind::sync:
      break;
  }
  out.fail_with(EINVAL);
}

// --- syncs of a batch

// Folders for which there was no descriptor come back in `left`: they may be asked for again.
Failure sync_each(const DiskRoot& root, const std::set<std::string>& folders, const std::vector<int>& files,
                  const OpenFolders& open_folders, std::map<std::string, Failure>& left) {
  for (const int file : files) {
    if (const Failure failure = sync_file(file)) return failure;
  }
  for (const std::string& folder : folders) {
    const auto opened = open_folders.find({root.folder, folder});
    const bool is_open = opened != open_folders.end() && opened->second;
    const Failure failure = is_open ? sync_file(opened->second.get()) : sync_folder(root, folder);
    if (failure.passes()) {
      left.emplace(folder, failure);
      continue;
    }
    // A folder that is gone by now needs no sync: its absence is in the folder above.
    if (failure && failure.error != ENOENT) return failure;
  }
  return {};
}

void sync_batch(std::vector<FolderJob>& jobs, const std::vector<SyncWish>& wishes,
                std::vector<FolderResult>& results, std::size_t first, const OpenFolders& open_folders) {
  std::map<int, std::vector<const SyncWish*>> by_root;
  for (const SyncWish& wish : wishes) by_root[jobs[wish.result].root.folder].push_back(&wish);
  for (const auto& [folder, wanted] : by_root) {
    std::set<std::string> folders;
    std::vector<int> files;
    for (const SyncWish* wish : wanted) {
      if (wish->descriptor >= 0) {
        files.push_back(wish->descriptor);
      } else {
        folders.insert(wish->folder);
      }
    }
    const DiskRoot& root = jobs[wanted.front()->result].root;
    const bool many = folders.size() + files.size() > kSyncsMax;
    std::map<std::string, Failure> left;
    const Failure of_all =
        many && root.syncfs ? sync_all(root) : sync_each(root, folders, files, open_folders, left);
    for (const SyncWish* wish : wanted) {
      const auto own = wish->descriptor >= 0 ? left.end() : left.find(wish->folder);
      const Failure failure = of_all || own == left.end() ? of_all : own->second;
      if (!failure) continue;
      FolderResult& result = results[first + wish->result];
      result.again = failure.passes();
      result.outcome = fail(failure.passes() ? Errc::out_of_space : Errc::storage,
                            "cannot sync " + root.path + ": " + errno_text(failure.error));
    }
  }
}

}  // namespace

void run_folder_jobs(std::vector<FolderJob>& jobs, std::vector<FolderResult>& results) {
  const std::size_t first = results.size();
  std::vector<SyncWish> wishes;
  OpenFolders open_folders;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    FolderResult& result = results.emplace_back();
    result.number = jobs[i].number;
    run({jobs[i], result, wishes, open_folders, i});
  }
  sync_batch(jobs, wishes, results, first, open_folders);
  for (std::size_t i = first; i < results.size(); ++i) {
    if (!results[i].outcome) results[i].opened.reset();
  }
}

bool joins_batch(const FolderJob& job) {
  return job.kind == DiskOpKind::create_folder || job.kind == DiskOpKind::rename ||
         job.kind == DiskOpKind::open;
}

bool is_inside(const std::string& path) {
  if (path.empty() || path.front() == '/' || path.back() == '/') return false;
  std::size_t start = 0;
  while (start <= path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view name = std::string_view(path).substr(start, end - start);
    if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string_view::npos)
      return false;
    start = end + 1;
  }
  return true;
}

}  // namespace tailwater::shell
