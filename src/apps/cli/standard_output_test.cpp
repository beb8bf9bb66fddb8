// Goal: no output is lost without a word and an exit code; who reads no more is no failure.
// Method: processes of their own whose standard output takes nothing.
#include "apps/cli/standard_output.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "apps/cli/consume_output.hpp"
#include "apps/cli/json_output.hpp"
#include "apps/command_line.hpp"

namespace tailwater::apps::cli {
namespace {

using ::testing::ExitedWithCode;

constexpr const char* kFull = "tailwater: cannot write to standard output: No space left on device";

void print_to(const char* path) {
  ::dup2(::open(path, O_WRONLY), STDOUT_FILENO);
}

void print_to_nobody() {
  std::signal(SIGPIPE, SIG_IGN);
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) std::_Exit(99);
  ::close(ends[0]);
  ::dup2(ends[1], STDOUT_FILENO);
}

int run(const std::function<void()>& print) {
  const std::array<const char*, 2> words = {"tailwater", "print"};
  return run_command_line(static_cast<int>(words.size()), words.data(), "Test.", [&](Command& tailwater) {
    tailwater.command("print", "Print.").action([&print] {
      print();
      return kExitDone;
    });
  });
}

const std::string kLong(100'000, 'x');

void print_little() {
  fmt::print("little\n");
}
void print_much() {
  fmt::print("{}\n", kLong);
}
void print_much_json() {
  print_json(json::value(kLong));
}

TEST(StandardOutput, WhatIsLostIsAFailure) {
  for (void (*const print)() : {print_little, print_much, print_much_json}) {
    const auto into = [print](const char* path) {
      print_to(path);
      std::_Exit(run(print));
    };
    EXPECT_EXIT(into("/dev/full"), ExitedWithCode(kExitFailed), kFull);
    EXPECT_EXIT(into("/dev/null"), ExitedWithCode(kExitDone), "^$");
  }
}

TEST(StandardOutput, HelpIsOutputToo) {
  const auto help = [] {
    const std::array<const char*, 2> words = {"tailwater", "--help"};
    print_to("/dev/full");
    std::_Exit(run_command_line(static_cast<int>(words.size()), words.data(), "Test.", [](Command&) {}));
  };
  EXPECT_EXIT(help(), ExitedWithCode(kExitFailed), kFull);
}

TEST(StandardOutput, AReaderThatLeftHadEnough) {
  for (void (*const print)() : {print_little, print_much, print_much_json}) {
    const auto into_nothing = [print] {
      print_to_nobody();
      std::_Exit(run(print));
    };
    EXPECT_EXIT(into_nothing(), ExitedWithCode(kExitDone), "^$");
  }
}

// The second flush must not seem to have written what the first one lost: its offsets would be committed.
TEST(StandardOutput, RecordsThatAreLostAreNeverWritten) {
  const auto show = [] {
    print_to("/dev/full");
    auto writer = RecordWriter::make("", RecordParts::all);
    RecordView record;
    record.value = "value";
    writer->write(record);
    const bool first = writer->flush();
    print_to("/dev/null");
    const bool second = writer->flush();
    if (first || second) std::_Exit(99);
    std::_Exit(after_output(kExitDone));
  };
  EXPECT_EXIT(show(), ExitedWithCode(kExitFailed), kFull);
}

}  // namespace
}  // namespace tailwater::apps::cli
