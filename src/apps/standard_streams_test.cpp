// Goal: a file that is opened later never gets the number of a standard stream.
// Method: processes of their own that close some of them.
#include "apps/standard_streams.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

namespace tailwater::apps {
namespace {

// The exit code of a process that closes these streams and completes them: 0 if a file opened then is behind
// them.
int outcome_without(std::initializer_list<int> closed) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int stream : closed) ::close(stream);
    if (!complete_standard_streams()) ::_exit(2);
    ::_exit(::open("/dev/null", O_RDONLY) > STDERR_FILENO ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(StandardStreams, NoneIsLeftToTheNextFile) {
  EXPECT_EQ(outcome_without({}), 0);
  EXPECT_EQ(outcome_without({0}), 0);
  EXPECT_EQ(outcome_without({1, 2}), 0);
  EXPECT_EQ(outcome_without({0, 2}), 0);
  EXPECT_EQ(outcome_without({0, 1, 2}), 0);
}

}  // namespace
}  // namespace tailwater::apps
