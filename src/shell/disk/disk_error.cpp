#include "shell/disk/disk_error.hpp"

#include <cerrno>
#include <cstring>

namespace tailwater::shell {

std::string errno_text(int error) {
  char buffer[128];
  // The GNU variant returns the text, which may or may not be in the buffer.
  return ::strerror_r(error, buffer, sizeof buffer);
}

std::string_view to_string(DiskOpKind kind) {
  switch (kind) {
    case DiskOpKind::open:
      return "open";
    case DiskOpKind::close:
      return "close";
    case DiskOpKind::read:
      return "read";
    case DiskOpKind::write:
      return "write";
    case DiskOpKind::sync:
    case DiskOpKind::sync_all:
      return "sync";
    case DiskOpKind::preallocate:
      return "preallocate";
    case DiskOpKind::truncate:
      return "truncate";
    case DiskOpKind::zero:
      return "zero";
    case DiskOpKind::create_folder:
      return "create folder";
    case DiskOpKind::rename:
      return "rename";
    case DiskOpKind::remove:
      return "remove";
    case DiskOpKind::replace:
      return "replace";
    case DiskOpKind::load:
      return "load";
    case DiskOpKind::list:
      return "list";
  }
  return "unknown";
}

namespace {

bool allocates(DiskOpKind kind) {
  switch (kind) {
    case DiskOpKind::open:
    case DiskOpKind::preallocate:
    case DiskOpKind::zero:
    case DiskOpKind::create_folder:
    case DiskOpKind::rename:
    case DiskOpKind::replace:
      return true;
    default:
      return false;
  }
}

Errc code_of(DiskOpKind kind, int error) {
  if (error == ENOENT) return Errc::not_found;
  const bool full = error == ENOSPC || error == EDQUOT;
  if (full && allocates(kind)) return Errc::out_of_space;
  if (error == EWOULDBLOCK && kind == DiskOpKind::open) return Errc::busy;
  // Whoever asks for it can do without: only a broken disk is worth more than that.
  if (kind == DiskOpKind::zero && error != EIO && error != EROFS) return Errc::unsupported;
  return Errc::storage;
}

}  // namespace

Error disk_error(DiskOpKind kind, std::string_view path, int error) {
  std::string message = "cannot ";
  message += to_string(kind);
  message += ' ';
  message += path;
  message += ": ";
  message += errno_text(error);
  return {code_of(kind, error), std::move(message)};
}

}  // namespace tailwater::shell
