#include "power/mount.hpp"

#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse.h>

#include <array>
#include <cerrno>
#include <memory>
#include <thread>
#include <utility>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1U << 0U)
#endif

namespace tailwater::power {
namespace {

struct Mount {
  FileSystem& file_system;
  MountOptions options;
  std::function<void()> mounted;
};

Mount& mount_of() {
  return *static_cast<Mount*>(fuse_get_context()->private_data);
}

FileSystem& files() {
  return mount_of().file_system;
}

Handle* handle_of(const fuse_file_info* info) {
  return info == nullptr ? nullptr : reinterpret_cast<Handle*>(info->fh);
}

int keep(int answer, Handle handle, fuse_file_info* info) {
  if (answer == 0) info->fh = reinterpret_cast<std::uint64_t>(new Handle(std::move(handle)));
  return answer;
}

// Nothing is remembered by the kernel: after a power cut it would be wrong.
void* begin(fuse_conn_info* /*connection*/, fuse_config* config) {
  config->use_ino = 1;
  config->hard_remove = 1;
  config->nullpath_ok = 1;
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  Mount& mount = mount_of();
  mount.mounted();
  return &mount;
}

int look(const char* path, struct stat* status, fuse_file_info* info) {
  return files().look(path == nullptr ? "" : path, handle_of(info), *status);
}

int open_file(const char* path, fuse_file_info* info) {
  Handle handle;
  return keep(files().open(path, false, handle), std::move(handle), info);
}

int create(const char* path, mode_t mode, fuse_file_info* info) {
  Handle handle;
  return keep(files().create(path, mode, (info->flags & O_EXCL) != 0, handle), std::move(handle), info);
}

int release(const char* /*path*/, fuse_file_info* info) {
  delete handle_of(info);
  return 0;
}

int open_folder(const char* path, fuse_file_info* info) {
  Handle handle;
  return keep(files().open(path, true, handle), std::move(handle), info);
}

int list(const char* /*path*/, void* buffer, fuse_fill_dir_t fill, off_t /*at*/, fuse_file_info* info,
         fuse_readdir_flags /*flags*/) {
  for (const char* name : {".", ".."}) fill(buffer, name, nullptr, 0, {});
  return files().list(*handle_of(info),
                      [&](const std::string& name) { fill(buffer, name.c_str(), nullptr, 0, {}); });
}

int read(const char* /*path*/, char* memory, std::size_t size, off_t at, fuse_file_info* info) {
  return files().read(*handle_of(info), static_cast<std::uint64_t>(at),
                      std::as_writable_bytes(std::span(memory, size)));
}

// The flags that come with a write have O_DSYNC for one write, too (pwritev2 with RWF_DSYNC).
int write(const char* /*path*/, const char* bytes, std::size_t size, off_t at, fuse_file_info* info) {
  const bool durable = (info->flags & O_DSYNC) != 0;
  if (durable) std::this_thread::sleep_for(mount_of().options.sync_takes);
  return files().write(*handle_of(info), static_cast<std::uint64_t>(at),
                       std::as_bytes(std::span(bytes, size)), durable);
}

int sync(const char* /*path*/, int /*data_only*/, fuse_file_info* info) {
  const disk_model::Sequence until = files().moment();
  std::this_thread::sleep_for(mount_of().options.sync_takes);
  return files().sync(*handle_of(info), until);
}

int truncate(const char* path, off_t size, fuse_file_info* info) {
  return files().truncate(path == nullptr ? "" : path, handle_of(info), static_cast<std::uint64_t>(size));
}

int allocate(const char* /*path*/, int mode, off_t at, off_t size, fuse_file_info* info) {
  if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0) return -EOPNOTSUPP;
  return files().allocate(*handle_of(info), static_cast<std::uint64_t>(at + size), mode == 0);
}

int space(const char* /*path*/, struct statvfs* status) {
  constexpr std::uint64_t kBlock = 4096;
  constexpr std::uint64_t kBlocks = (std::uint64_t{64} << 30) / kBlock;
  *status = {};
  status->f_bsize = status->f_frsize = kBlock;
  status->f_blocks = status->f_bfree = status->f_bavail = kBlocks;
  status->f_files = status->f_ffree = status->f_favail = kBlocks;
  status->f_namemax = 255;
  return 0;
}

fuse_operations operations() {
  fuse_operations all{};
  all.init = begin;
  all.getattr = look;
  all.mkdir = [](const char* path, mode_t mode) { return files().make_folder(path, mode); };
  all.unlink = [](const char* path) { return files().remove(path, false); };
  all.rmdir = [](const char* path) { return files().remove(path, true); };
  all.rename = [](const char* from, const char* to, unsigned flags) {
    if ((flags & ~RENAME_NOREPLACE) != 0) return -EINVAL;
    return files().rename(from, to, flags == 0);
  };
  all.chmod = [](const char* path, mode_t mode, fuse_file_info*) { return files().set_mode(path, mode); };
  all.chown = [](const char*, uid_t, gid_t, fuse_file_info*) { return 0; };
  all.utimens = [](const char*, const timespec*, fuse_file_info*) { return 0; };
  all.truncate = truncate;
  all.open = open_file;
  all.create = create;
  all.read = read;
  all.write = write;
  all.release = release;
  all.fsync = sync;
  all.opendir = open_folder;
  all.readdir = list;
  all.releasedir = release;
  all.fsyncdir = sync;
  all.fallocate = allocate;
  all.statfs = space;
  return all;
}

}  // namespace

int serve(FileSystem& file_system, const MountOptions& options, const std::function<void()>& mounted) {
  Mount mount{file_system, options, mounted};
  const fuse_operations all = operations();
  std::array<std::string, 3> words{"power_file_system", "-o", "fsname=power,subtype=power"};
  std::array<char*, 3> arguments{words[0].data(), words[1].data(), words[2].data()};
  fuse_args given = FUSE_ARGS_INIT(static_cast<int>(arguments.size()), arguments.data());
  const std::unique_ptr<fuse, decltype(&fuse_destroy)> served(fuse_new(&given, &all, sizeof all, &mount),
                                                              fuse_destroy);
  if (served == nullptr) return EINVAL;
  if (fuse_mount(served.get(), options.at.c_str()) != 0) return ENODEV;
  fuse_loop_config* loop = fuse_loop_cfg_create();
  fuse_loop_cfg_set_clone_fd(loop, 0);
  fuse_loop_cfg_set_max_threads(loop, 16);
  const int answer = fuse_loop_mt(served.get(), loop);
  fuse_loop_cfg_destroy(loop);
  fuse_unmount(served.get());
  return answer < 0 ? -answer : 0;
}

}  // namespace tailwater::power
