// Goal: the program behaves as a process should: it says when it is ready, ends on a signal with 0, and
// refuses with one line and 1, or 2 for wrong usage. Method: fork and exec of the program that was built.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "integration/support.hpp"

namespace tailwater::integration {
namespace {

using ::testing::HasSubstr;

class Program {
 public:
  explicit Program(std::vector<std::string> words) {
    int out_pipe[2];
    int error_pipe[2];
    EXPECT_EQ(::pipe2(out_pipe, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(error_pipe, O_CLOEXEC), 0);
    words.insert(words.begin(), TAILWATER_PROGRAM);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    process_ = ::fork();
    if (process_ == 0) {
      ::dup2(out_pipe[1], STDOUT_FILENO);
      ::dup2(error_pipe[1], STDERR_FILENO);
      ::execv(TAILWATER_PROGRAM, arguments.data());
      ::_exit(127);
    }
    ::close(out_pipe[1]);
    ::close(error_pipe[1]);
    out_ = shell::Descriptor(out_pipe[0]);
    error_ = shell::Descriptor(error_pipe[0]);
  }
  ~Program() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
  }

  void signal(int number) const { ::kill(process_, number); }

  // Reads both pipes until one of them says `text`; false: they ended, or the limit came.
  bool says(std::string_view text, int limit_ms = 20'000) {
    const auto end = Clock::now() + std::chrono::milliseconds(limit_ms);
    while (out.find(text) == std::string::npos && error.find(text) == std::string::npos) {
      if (Clock::now() > end || !read_some()) return false;
    }
    return true;
  }

  int exit_code() {
    while (read_some()) {
    }
    int status = 0;
    ::waitpid(process_, &status, 0);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string out;
  std::string error;

 private:
  bool read_some() {
    pollfd sources[2] = {{out_.get(), POLLIN, 0}, {error_.get(), POLLIN, 0}};
    if (::poll(sources, 2, 20'000) <= 0) return false;
    bool any = false;
    for (auto& [source, text, pipe] :
         {std::tuple{&sources[0], &out, &out_}, std::tuple{&sources[1], &error, &error_}}) {
      if (source->revents == 0) continue;
      char buffer[4096];
      const ssize_t got = ::read(pipe->get(), buffer, sizeof buffer);
      if (got > 0) text->append(buffer, static_cast<std::size_t>(got));
      if (got <= 0) pipe->reset();
      any = any || got > 0;
    }
    return any || out_ || error_;
  }

  pid_t process_ = -1;
  shell::Descriptor out_;
  shell::Descriptor error_;
};

std::vector<std::string> serve(const TemporaryFolder& folder, std::vector<std::string> more = {}) {
  std::vector<std::string> words = {"serve",
                                    "--override",
                                    "log.dirs=" + folder.text(),
                                    "--override",
                                    "listeners=PLAINTEXT://127.0.0.1:0",
                                    "--override",
                                    "tailwater.admin.listener=127.0.0.1:0"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(Program, ServesUntilItIsTold) {
  const TemporaryFolder folder;
  for (const int signal : {SIGTERM, SIGINT}) {
    Program program(serve(folder));
    ASSERT_TRUE(program.says(" ready ")) << program.error;
    EXPECT_THAT(program.error, HasSubstr("listening listener=PLAINTEXT address=127.0.0.1:"));
    program.signal(signal);
    EXPECT_EQ(program.exit_code(), 0) << program.error;
  }
}

TEST(Program, ReloadsOnHangup) {
  const TemporaryFolder folder;
  Program program(serve(folder));
  ASSERT_TRUE(program.says(" ready ")) << program.error;
  program.signal(SIGHUP);
  EXPECT_TRUE(program.says("config reloaded")) << program.error;
  program.signal(SIGTERM);
  EXPECT_EQ(program.exit_code(), 0);
}

TEST(Program, DevPrintsItsBanner) {
  const TemporaryFolder folder;
  Program program({"dev", "--data", folder.text(), "--port", "0"});
  ASSERT_TRUE(program.says("Ctrl-C stops the broker")) << program.error;
  EXPECT_THAT(program.out, HasSubstr("Broker   localhost:"));
  EXPECT_THAT(program.out, HasSubstr("Data     " + folder.text()));
  program.signal(SIGINT);
  EXPECT_EQ(program.exit_code(), 0) << program.error;
}

TEST(Program, RefusesWithOneLine) {
  const TemporaryFolder folder;
  TestBroker broker({.folder = folder.text()});
  Program in_use(serve(folder));
  EXPECT_EQ(in_use.exit_code(), 1);
  EXPECT_THAT(in_use.error, HasSubstr("tailwater: "));
  EXPECT_THAT(in_use.error, HasSubstr("in use"));

  const TemporaryFolder other;
  Program wrong_value(serve(other, {"--override", "num.partitions=many"}));
  EXPECT_EQ(wrong_value.exit_code(), 1);
  EXPECT_THAT(wrong_value.error, HasSubstr("num.partitions"));
  Program strict(serve(other, {"--strict", "--override", "num.partitoins=3"}));
  EXPECT_EQ(strict.exit_code(), 1);
  EXPECT_THAT(strict.error, HasSubstr("num.partitions"));
}

TEST(Program, UsageAndVersion) {
  Program version({"version"});
  EXPECT_EQ(version.exit_code(), 0);
  EXPECT_THAT(version.out, HasSubstr("tailwater "));
  Program unknown({"serv"});
  EXPECT_EQ(unknown.exit_code(), 2);
  EXPECT_THAT(unknown.error, HasSubstr("did you mean 'serve'?"));
  Program help({"--help"});
  EXPECT_EQ(help.exit_code(), 0);
  EXPECT_THAT(help.out, HasSubstr("tailwater dev"));
}

}  // namespace
}  // namespace tailwater::integration
