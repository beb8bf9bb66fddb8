// Goal: machines get the code that they react to, people a sentence with path and reason.
// Method: the errors that matter, for operations that allocate and operations that do not.
#include "shell/disk/disk_error.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace tailwater::shell {
namespace {

TEST(DiskError, OnlyAllocationsRunOutOfSpace) {
  for (const int full : {ENOSPC, EDQUOT}) {
    for (const DiskOpKind kind : {DiskOpKind::open, DiskOpKind::preallocate, DiskOpKind::create_folder,
                                  DiskOpKind::rename, DiskOpKind::replace}) {
      EXPECT_EQ(disk_error(kind, "/x", full).code, Errc::out_of_space);
    }
    for (const DiskOpKind kind : {DiskOpKind::write, DiskOpKind::sync, DiskOpKind::sync_all,
                                  DiskOpKind::truncate, DiskOpKind::remove, DiskOpKind::close}) {
      EXPECT_EQ(disk_error(kind, "/x", full).code, Errc::storage);
    }
  }
}

TEST(DiskError, EverythingElseIsStorage) {
  for (const int error : {EIO, EROFS, EACCES, EINVAL, ENOTDIR, EISDIR, EFBIG}) {
    EXPECT_EQ(disk_error(DiskOpKind::open, "/x", error).code, Errc::storage);
    EXPECT_EQ(disk_error(DiskOpKind::preallocate, "/x", error).code, Errc::storage);
    EXPECT_EQ(disk_error(DiskOpKind::write, "/x", error).code, Errc::storage);
  }
  EXPECT_EQ(disk_error(DiskOpKind::load, "/x", ENOENT).code, Errc::not_found);
}

TEST(DiskError, ZeroingIsUnsupportedUnlessTheDiskIsBrokenOrFull) {
  for (const int error : {EOPNOTSUPP, ENOSYS, EINVAL, EPERM})
    EXPECT_EQ(disk_error(DiskOpKind::zero, "/x", error).code, Errc::unsupported);
  EXPECT_EQ(disk_error(DiskOpKind::zero, "/x", ENOSPC).code, Errc::out_of_space);
  EXPECT_EQ(disk_error(DiskOpKind::zero, "/x", EIO).code, Errc::storage);
  EXPECT_EQ(disk_error(DiskOpKind::zero, "/x", EROFS).code, Errc::storage);
}

TEST(DiskError, TheSentenceNamesWhatPathAndWhy) {
  EXPECT_EQ(disk_error(DiskOpKind::write, "/data/t-0/1.log", EIO).message,
            "cannot write /data/t-0/1.log: Input/output error");
}

}  // namespace
}  // namespace tailwater::shell
