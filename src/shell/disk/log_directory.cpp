#include "shell/disk/log_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "shell/disk/disk_error.hpp"
#include "shell/disk/uring_engine.hpp"

namespace tailwater::shell {
namespace {

struct FileSystem {
  std::uint32_t magic;
  const char* name;
  bool direct;  // worth trying O_DIRECT: the bytes go to a device of this machine, unchanged
  // syncfs() makes everything durable. The kernel does not pass it on to a FUSE file system, nor as a demand
  // to flush to the other side of a network, and it succeeds all the same.
  bool syncfs;
  const char* warning;  // nullptr: none
  // It fails if a write-back has failed. Of an overlay the kernel looks at the upper layer's file system for its
  // state only, not for what became of the files' bytes.
  bool syncfs_tells = true;
};

constexpr FileSystem kFileSystems[] = {
    {0xEF53, "ext4", true, true, nullptr},
    {0x58465342, "xfs", true, true, nullptr},
    {0xF2F52010, "f2fs", true, true,
     "f2fs writes every block to a new place, which makes journal writes slower"},
    {0x9123683E, "btrfs", true, true,
     "btrfs copies on write, which makes journal writes slower: prefer ext4 or XFS"},
    {0xCA451A4E, "bcachefs", true, true,
     "bcachefs copies on write, which makes journal writes slower: prefer ext4 or XFS"},
    {0x2FC12FC1, "zfs", false, true,
     "ZFS copies on write, which makes journal writes slower: prefer ext4 or XFS"},
    {0x01021994, "tmpfs", false, true, "tmpfs is memory: everything is lost when the machine stops"},
    {0x858458F6, "ramfs", false, true, "ramfs is memory: everything is lost when the machine stops"},
    {0x794C7630, "overlay", false, true,
     "this is the container's own file system: use a volume, or the data goes with the container", false},
    {0x65735546, "fuse", false, false, "a FUSE file system decides by itself what durable means"},
    {0x6969, "nfs", false, false,
     "NFS is slow for journals, and its locks may outlive a broker: use a local disk"},
    {0xFF534D42, "cifs", false, false, "a network share is slow for journals: use a local disk"},
    {0xFE534D42, "smb2", false, false, "a network share is slow for journals: use a local disk"},
    {0x01021997, "9p", false, false,
     "9p passes files through from another system, which decides what durable means"},
};

constexpr FileSystem kUnknown{0, "unknown file system", true, false, nullptr};
constexpr std::int64_t kTryAgainNs = 10'000'000;

const FileSystem& file_system_of(int folder) {
  struct statfs status{};
  if (::fstatfs(folder, &status) != 0) return kUnknown;
  const auto magic = static_cast<std::uint32_t>(status.f_type);
  for (const FileSystem& known : kFileSystems) {
    if (known.magic == magic) return known;
  }
  return kUnknown;
}

// --- the folder

Error unusable(const std::string& path, const char* what, int error) {
  std::string message = "log directory " + path + ": " + what + ": " + errno_text(error);
  if (error == EACCES || error == EPERM) {
    message += "; the broker runs as user " + std::to_string(::geteuid()) +
               ", so give that user the folder or choose another one (log.dirs)";
  }
  return {Errc::storage, std::move(message)};
}

int sync_path(const std::string& path) {
  const Descriptor folder(::open(path.empty() ? "/" : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder && ::fsync(folder.get()) == 0 ? 0 : errno;
}

// Makes the folder and those above it, durably. errno, or 0; `created` if it was not there.
int make_folders(const std::string& path, bool& created) {
  created = false;
  std::size_t end = 0;
  while (end != std::string::npos) {
    end = path.find('/', end + 1);
    const std::string folder = path.substr(0, end);
    if (::mkdir(folder.c_str(), 0755) != 0) {
      if (errno == EEXIST) continue;
      // Above the last component only what is missing matters: a read-only parent may well hold the folder.
      struct stat status{};
      const int error = errno;
      if (::stat(folder.c_str(), &status) == 0) continue;
      return error;
    }
    created = end == std::string::npos;
    const std::size_t slash = folder.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : folder.substr(0, slash);
    if (const int error = sync_path(parent); error != 0 && error != EACCES) return error;
  }
  return 0;
}

// Two kinds of lock, because Apache Kafka's Java takes the record lock only.
bool try_lock(int file, int& error) {
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::flock(file, LOCK_EX | LOCK_NB) == 0 && ::fcntl(file, F_OFD_SETLK, &whole) == 0) return true;
  error = errno;
  return false;
}

bool is_locked(int error) {
  return error == EWOULDBLOCK || error == EAGAIN || error == EACCES;
}

std::string owner_of(int file) {
  char text[24] = {};
  const ssize_t size = ::pread(file, text, sizeof text - 1, 0);
  const long process = size > 0 ? std::strtol(text, nullptr, 10) : 0;
  return process > 0 ? "process " + std::to_string(process) : "another process";
}

Result<Descriptor> lock_folder(int folder, const std::string& path, const LogDirectoryOptions& options) {
  Descriptor file(::openat(folder, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file) return std::unexpected(unusable(path, "cannot write to it", errno));
  int error = 0;
  for (std::int64_t waited = 0; !try_lock(file.get(), error); waited += kTryAgainNs) {
    if (!is_locked(error)) return std::unexpected(unusable(path, "cannot lock it", error));
    if (waited >= options.lock_patience.nanoseconds) {
      return fail(Errc::busy, "log directory " + path + ": in use by " + owner_of(file.get()) + "; " +
                                  options.busy_advice);
    }
    const timespec pause{0, kTryAgainNs};
    ::nanosleep(&pause, nullptr);
  }
  // For the message above, in the next process that tries.
  const std::string owner = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file.get(), 0) == 0) {
    [[maybe_unused]] const auto written = ::pwrite(file.get(), owner.data(), owner.size(), 0);
  }
  return file;
}

// --- the probe

class ProbeFile {
 public:
  explicit ProbeFile(int folder) : folder_(folder), name_(".probe-" + std::to_string(::getpid()) + ".tmp") {
    file_ = Descriptor(::openat(folder_, name_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  }
  ~ProbeFile() {
    if (file_) ::unlinkat(folder_, name_.c_str(), 0);
  }
  ProbeFile(const ProbeFile&) = delete;
  ProbeFile& operator=(const ProbeFile&) = delete;
  int get() const { return file_.get(); }

 private:
  int folder_;
  std::string name_;
  Descriptor file_;
};

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// One block there and back, durable by `flags` or by a sync. The errno of the first step that failed.
int write_and_read(int file, int flags) {
  const std::unique_ptr<void, Free> block(std::aligned_alloc(kDiskBlock, kDiskBlock));
  const std::unique_ptr<void, Free> back(std::aligned_alloc(kDiskBlock, kDiskBlock));
  if (!block || !back) return ENOMEM;
  std::memset(block.get(), 0x5a, kDiskBlock);
  const iovec piece{block.get(), kDiskBlock};
  const ssize_t written = ::pwritev2(file, &piece, 1, 0, flags);
  if (written < 0) return errno;
  if (written != static_cast<ssize_t>(kDiskBlock)) return EIO;
  if (flags == 0 && ::fdatasync(file) != 0) return errno;
  if (::pread(file, back.get(), kDiskBlock, 0) != static_cast<ssize_t>(kDiskBlock))
    return errno != 0 ? errno : EIO;
  return std::memcmp(block.get(), back.get(), kDiskBlock) == 0 ? 0 : EIO;
}

void read_alignment(int file, DiskTraits& traits) {
#ifdef STATX_DIOALIGN
  struct statx status{};
  if (::statx(file, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0 &&
      (status.stx_mask & STATX_DIOALIGN) != 0) {
    traits.memory_alignment = status.stx_dio_mem_align;
    traits.offset_alignment = status.stx_dio_offset_align;
  }
#else
  (void)file;
  (void)traits;
#endif
}

std::string read_device_attribute(dev_t device, const char* attribute) {
  const std::string base =
      "/sys/dev/block/" + std::to_string(major(device)) + ":" + std::to_string(minor(device)) + "/";
  for (const char* way : {"queue/", "../queue/"}) {  // a partition's queue is its disk's
    const Descriptor file(::open((base + way + attribute).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) continue;
    char text[64] = {};
    const ssize_t size = ::read(file.get(), text, sizeof text - 1);
    std::string value(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    while (!value.empty() && value.back() == '\n') value.pop_back();
    return value;
  }
  return {};
}

// The fastest mode that works here. A full disk must not keep a broker from starting (it frees space by
// itself), so running out of space counts as working. errno in `error` if not even buffered writes work.
DiskMode probe_mode(int folder, const FileSystem& file_system, DiskTraits& traits, int& error) {
  const auto works = [](int result) { return result == 0 || result == ENOSPC || result == EDQUOT; };
  error = 0;
  const ProbeFile file(folder);
  if (file.get() < 0) {
    error = errno == ENOSPC || errno == EDQUOT ? 0 : errno;
    return DiskMode::buffered_fdatasync;
  }
  traits.fallocate = ::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, kDiskBlock) == 0 || errno == ENOSPC;
  // The fastest way first: each way costs a start at least one flush of the device.
  if (file_system.direct && ::fcntl(file.get(), F_SETFL, O_DIRECT) == 0) {
    read_alignment(file.get(), traits);
    if (traits.memory_alignment <= kDiskBlock && traits.offset_alignment <= kDiskBlock) {
      if (works(write_and_read(file.get(), RWF_DSYNC))) return DiskMode::direct_dsync;
      if (works(write_and_read(file.get(), 0))) return DiskMode::direct_fdatasync;
    }
    ::fcntl(file.get(), F_SETFL, 0);
  }
  if (const int result = write_and_read(file.get(), 0); !works(result)) error = result;
  return DiskMode::buffered_fdatasync;
}

}  // namespace

Result<LogDirectory> LogDirectory::prepare(DirId dir, const std::string& path,
                                           const LogDirectoryOptions& options) {
  LogDirectory directory;
  directory.dir_ = dir;
  directory.path_ = path;
  while (directory.path_.size() > 1 && directory.path_.back() == '/') directory.path_.pop_back();
  const std::string& name = directory.path_;
  if (name.empty()) return fail(Errc::storage, "log.dirs: a folder's name is empty");

  if (const int error = make_folders(name, directory.created_); error != 0) {
    return std::unexpected(unusable(name, "cannot create it", error));
  }
  directory.folder_ = Descriptor(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.folder_) return std::unexpected(unusable(name, "cannot open it", errno));
  auto lock = lock_folder(directory.folder_.get(), name, options);
  if (!lock) return std::unexpected(lock.error());
  directory.lock_ = std::move(*lock);

  const FileSystem& file_system = file_system_of(directory.folder_.get());
  directory.traits_.file_system = file_system.name;
  directory.traits_.syncfs = file_system.syncfs;
  directory.traits_.syncfs_tells = file_system.syncfs_tells;
  if (file_system.warning != nullptr) directory.traits_.warnings.emplace_back(file_system.warning);
  int error = 0;
  directory.mode_ = probe_mode(directory.folder_.get(), file_system, directory.traits_, error);
  if (error != 0) return std::unexpected(unusable(name, "cannot write to it", error));
  if (options.mode) directory.mode_ = *options.mode;
  if (!directory.traits_.fallocate) {
    directory.traits_.warnings.emplace_back(
        "the file system cannot reserve space, so it is reserved by writing zeros, ahead of the records: "
        "twice "
        "as much is written");
  }
  struct stat status{};
  if (::fstat(directory.folder_.get(), &status) == 0) {
    directory.traits_.write_cache = read_device_attribute(status.st_dev, "write_cache");
  }
  return directory;
}

std::uint64_t LogDirectory::file_system_bytes() const {
  struct statvfs space{};
  return ::fstatvfs(folder_.get(), &space) == 0 ? std::uint64_t{space.f_blocks} * space.f_frsize : 0;
}

std::string LogDirectory::description() const {
  std::string text = "log directory " + path_ + (created_ ? " (created): " : ": ") + traits_.file_system +
                     ", " + std::string(to_string(mode_));
  if (traits_.offset_alignment != 0) text += ", blocks of " + std::to_string(traits_.offset_alignment);
  if (!traits_.write_cache.empty()) text += ", device cache: " + traits_.write_cache;
  return text;
}

EngineChoice choose_engine(std::optional<DiskEngineKind> wish) {
  if (wish == DiskEngineKind::thread_pool) return {DiskEngineKind::thread_pool, "chosen by configuration"};
  std::string reason = uring_unavailable();
  if (reason.empty()) return {wish.value_or(DiskEngineKind::mixed), {}};
  return {DiskEngineKind::thread_pool, std::move(reason)};
}

}  // namespace tailwater::shell
