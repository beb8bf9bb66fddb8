// Goal: the program behaves as a process should: it says when it is ready, ends on a signal with 0, and
// refuses with one line and 1, or 2 for wrong usage. Method: fork and exec of the program that was built.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "integration/support.hpp"
#include "wire/api/metadata.hpp"

namespace tailwater::integration {
namespace {

using ::testing::HasSubstr;

class Program {
 public:
  // `prepare` runs in the new process before it becomes the program.
  explicit Program(std::vector<std::string> words, void (*prepare)() = [] {}) {
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
      prepare();
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
                                    "log.dirs=" + folder.path(),
                                    "--override",
                                    "listeners=PLAINTEXT://127.0.0.1:0",
                                    "--override",
                                    "tailwater.admin.listener=127.0.0.1:0"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// Where a program that is ready listens.
std::uint16_t port_of(const Program& program) {
  constexpr std::string_view kBefore = "listener=PLAINTEXT address=127.0.0.1:";
  const std::size_t at = program.error.find(kBefore);
  if (at == std::string::npos) return 0;
  return static_cast<std::uint16_t>(std::stoi(program.error.substr(at + kBefore.size())));
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

TEST(Program, LogsEachRequestWhereThatIsAskedFor) {
  const TemporaryFolder folder;
  for (const bool asked : {false, true}) {
    Program program(
        serve(folder, {"--override", std::string("tailwater.request.log=") + (asked ? "true" : "false")}));
    ASSERT_TRUE(program.says(" ready ")) << program.error;
    Client client(port_of(program));
    ASSERT_TRUE(client.call(wire::MetadataRequest{}, 9).has_value());
    if (asked) {
      EXPECT_TRUE(program.says("request Metadata v9 from 127.0.0.1")) << program.error;
    }
    program.signal(SIGTERM);
    EXPECT_EQ(program.exit_code(), 0) << program.error;
    EXPECT_EQ(program.error.find("request Metadata") != std::string::npos, asked);
  }
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void create_topic_with(Client& client, const std::string& name, const std::string& durability) {
  wire::CreateTopicsRequest request;
  request.topics.push_back({.name = name, .num_partitions = 1, .replication_factor = 1});
  request.topics[0].configs.push_back({.name = "tailwater.durability", .value = durability});
  const auto answer = client.call(request, 5);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body.topics.at(0).error_code, wire::ErrorCode::none);
}

// Each durability has its own ring; what either acknowledged outlives the process.
TEST(Program, KeepsWhatBothDurabilitiesAcknowledgedWhenItIsKilled) {
  const TemporaryFolder folder;
  const Buffer batch = record_batch(10, 100);
  constexpr std::string_view kRecord = "abcdefghijklmnopqrstuvwxyz";
  const auto ring_has_records = [&](const char* ring) {
    return content_of(folder.path() + "/journal/" + ring).find(kRecord) != std::string::npos;
  };
  for (int round = 0; round < 4; ++round) {
    Program program(serve(folder, {"--override", "log.flush.interval.messages=1000000"}));
    ASSERT_TRUE(program.says(" ready ")) << program.error;
    Client client(port_of(program));
    if (round == 0) {
      create_topic_with(client, "soft", "os");
      EXPECT_EQ(produce(client, "soft", 0, batch), 0);
      EXPECT_TRUE(ring_has_records("0-os.jnl"));
      EXPECT_FALSE(ring_has_records("0.jnl"));
      create_topic_with(client, "hard", "fsync");
      EXPECT_EQ(produce(client, "hard", 0, batch), 0);
      EXPECT_TRUE(ring_has_records("0.jnl"));
    } else {
      EXPECT_EQ(produce(client, "soft", 0, batch), round * 10);
      EXPECT_EQ(produce(client, "hard", 0, batch), round * 10);
    }
    // The machine did not go down.
    EXPECT_EQ(program.error.find("went down"), std::string::npos) << program.error;
    program.signal(round == 2 ? SIGTERM : SIGKILL);
    EXPECT_EQ(program.exit_code(), round == 2 ? 0 : 128 + SIGKILL);
  }
}

TEST(Program, DevPrintsItsBanner) {
  const TemporaryFolder folder;
  Program program({"dev", "--data", folder.path(), "--port", "0"});
  ASSERT_TRUE(program.says("Ctrl-C stops the broker")) << program.error;
  EXPECT_THAT(program.out, HasSubstr("Broker   localhost:"));
  EXPECT_THAT(program.out, HasSubstr("Data     " + folder.path()));
  program.signal(SIGINT);
  EXPECT_EQ(program.exit_code(), 0) << program.error;
}

TEST(Program, SaysThatItMayOpenFewFiles) {
  const TemporaryFolder folder;
  Program program(serve(folder), [] {
    const rlimit few{200, 300};
    ::setrlimit(RLIMIT_NOFILE, &few);
  });
  ASSERT_TRUE(program.says(" ready ")) << program.error;
  EXPECT_THAT(program.error, HasSubstr("the limit of open files is low"));
  EXPECT_THAT(program.error, HasSubstr("limit=300"));
  program.signal(SIGTERM);
  EXPECT_EQ(program.exit_code(), 0) << program.error;
}

// `timeout` and some supervisors signal a process and then its group.
TEST(Program, TheSameSignalTwiceIsStillACleanStop) {
  const TemporaryFolder folder;
  Program program(serve(folder));
  ASSERT_TRUE(program.says(" ready ")) << program.error;
  program.signal(SIGTERM);
  ASSERT_TRUE(program.says("stopping")) << program.error;
  program.signal(SIGTERM);
  EXPECT_EQ(program.exit_code(), 0) << program.error;
  EXPECT_EQ(program.error.find("ending at once"), std::string::npos) << program.error;
}

// What the program says when it cannot start: its one line.
void expect_refusal(Program&& program, const std::vector<std::string>& parts, int code = 1) {
  EXPECT_EQ(program.exit_code(), code);
  EXPECT_EQ(program.out, "");
  const std::size_t line = program.error.find("tailwater: ");
  ASSERT_NE(line, std::string::npos) << program.error;
  const std::string refusal = program.error.substr(line);
  EXPECT_EQ(std::count(refusal.begin(), refusal.end(), '\n'), 1) << program.error;
  for (const std::string& part : parts) EXPECT_THAT(refusal, HasSubstr(part));
}

TEST(Program, RefusesWrongConfiguration) {
  const TemporaryFolder folder;
  expect_refusal(Program(serve(folder, {"--override", "num.partitions=many"})), {"num.partitions", "many"},
                 2);
  expect_refusal(Program(serve(folder, {"--strict", "--override", "num.partitoins=3"})),
                 {"num.partitoins", "num.partitions"}, 2);
  std::ofstream(folder.path() + "/wrong.properties") << "num.partitions=many\n";
  expect_refusal(Program({"serve", folder.path() + "/wrong.properties"}),
                 {"wrong.properties:1: num.partitions", "many"});
  expect_refusal(Program({"serve", folder.path() + "/missing.properties"}), {"missing.properties"});
}

TEST(Program, RefusesPortInUse) {
  const TemporaryFolder folder;
  const TemporaryFolder other;
  TestBroker broker({.folder = folder.path()});
  const std::string address = "127.0.0.1:" + std::to_string(broker.port());
  expect_refusal(Program(serve(other, {"--override", "listeners=PLAINTEXT://" + address})),
                 {address, "in use"});
}

TEST(Program, RefusesDataFolderInUse) {
  const TemporaryFolder folder;
  TestBroker broker({.folder = folder.path()});
  expect_refusal(Program(serve(folder)), {folder.path(), "in use by"});
}

TEST(Program, RefusesDataFolderThatItMayNotWrite) {
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  // Root, too, obeys the modes of files without this capability.
  const auto obey_modes = [] { ::prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE); };
  expect_refusal(Program(serve(folder), obey_modes), {folder.path(), "Permission denied", "log.dirs"});
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);

  Program no_folder({"serve", "--override", "log.dirs=/dev/null/data", "--override",
                     "listeners=PLAINTEXT://127.0.0.1:0", "--override", "tailwater.admin.listener="});
  expect_refusal(std::move(no_folder), {"/dev/null/data"});
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
