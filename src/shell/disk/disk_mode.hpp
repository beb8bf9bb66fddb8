// How writes of a log directory reach the disk, and what every part of the disk knows of a directory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace tailwater::shell {

class FileSystemSync;

// All three give the same guarantees; they differ in cost.
enum class DiskMode : std::uint8_t {
  direct_dsync,        // past the page cache; a durable write says so itself
  direct_fdatasync,    // past the page cache; an fdatasync follows a durable write
  buffered_fdatasync,  // through the page cache; an fdatasync follows a durable write
};

constexpr std::string_view to_string(DiskMode mode) {
  switch (mode) {
    case DiskMode::direct_dsync:
      return "direct + DSYNC";
    case DiskMode::direct_fdatasync:
      return "direct + fdatasync";
    case DiskMode::buffered_fdatasync:
      return "buffered + fdatasync";
  }
  return "unknown";
}

// One log directory. The descriptor of its folder belongs to the LogDirectory that was prepared at start and
// outlives every disk.
struct DiskRoot {
  DirId dir;
  int folder = -1;
  std::string path;
  DiskMode mode = DiskMode::buffered_fdatasync;
  // Whether syncfs() reaches the disk. Where it says yes and does nothing, each file is synced by itself.
  bool syncfs = true;
  bool syncfs_tells = true;               // also of bytes that did not get there
  FileSystemSync* file_system = nullptr;  // each disk sets its own
};

}  // namespace tailwater::shell
