// Goal: files and connections together stay below the limit, and both get enough of any sensible one.
// Method: all limits of interest for several numbers of shards; the raise in a child process.
#include "shell/system/descriptor_limit.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tailwater::shell {
namespace {

TEST(DescriptorLimit, SharesStayBelowTheLimit) {
  for (const std::uint64_t limit : {1024ULL, 4096ULL, 20'000ULL, 65'536ULL, 524'288ULL, 1ULL << 30, ~0ULL}) {
    for (const std::size_t shards : {std::size_t{1}, std::size_t{3}, std::size_t{64}}) {
      const DescriptorShares shares = share_descriptors(limit, shards);
      EXPECT_GE(shares.files_per_shard, 64U);
      EXPECT_GE(shares.connections, 1U);
      if (limit / shards >= 512) {
        EXPECT_LE(shares.files_per_shard * shards + shares.connections, limit) << limit << ", " << shards;
        EXPECT_GE(shares.connections, limit > (1 << 20) ? 1 << 18 : limit / 4) << limit << ", " << shards;
      }
    }
  }
  EXPECT_EQ(share_descriptors(524'288, 1).files_per_shard, 32'768U);
}

TEST(DescriptorLimit, IsRaisedToTheHardOne) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit low{64, 500};
    if (::setrlimit(RLIMIT_NOFILE, &low) != 0) ::_exit(2);
    const std::uint64_t raised = raise_descriptor_limit();
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    ::_exit(raised == 500 && now.rlim_cur == 500 && raise_descriptor_limit() == 500 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace tailwater::shell
