// Goal: events of every thread reach the sink in that thread's order; a stuck sink makes drops, never
// waiting. Method: sinks that collect, and one that is held back by a latch.
#include "shell/log/log.hpp"

#include <gtest/gtest.h>

#include <latch>
#include <map>
#include <mutex>
#include <thread>

namespace tailwater::shell {
namespace {

TEST(Log, ManyThreadsKeepTheirOrder) {
  std::string all;
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  {
    Log log({.capacity = 4096, .sink = [&](std::string_view text) { all += text; }});
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&log, thread] {
        for (int line = 0; line < kLines; ++line) {
          log.info("t" + std::to_string(thread), "m", {{"n", std::to_string(line)}});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(log.dropped(), 0u);
  }
  std::map<std::string, int> next;
  std::size_t lines = 0;
  for (std::size_t at = 0; at < all.size(); ++lines) {
    const std::size_t end = all.find('\n', at);
    const std::string line = all.substr(at, end - at);
    const std::string thread = line.substr(31, 2);
    EXPECT_EQ(line.substr(line.find("n=")), "n=" + std::to_string(next[thread]++));
    at = end + 1;
  }
  EXPECT_EQ(lines, std::size_t{kThreads * kLines});
}

TEST(Log, StuckSinkDropsAndSaysSo) {
  std::latch entered(1);
  std::latch release(1);
  bool first = true;
  std::string all;
  {
    Log log({.capacity = 8, .sink = [&](std::string_view text) {
               if (first) {
                 first = false;
                 entered.count_down();
                 release.wait();
               }
               all += text;
             }});
    log.info("test", "first");
    entered.wait();
    for (int line = 0; line < 20; ++line) log.info("test", "more");
    EXPECT_EQ(log.dropped(), 12u);
    EXPECT_FALSE(log.flush(0));
    release.count_down();
  }
  EXPECT_NE(all.find("lines were dropped: the reader of the log is slow count=12"), std::string::npos) << all;
}

TEST(Log, SeverityFilters) {
  std::string all;
  {
    Log log({.severity = LogSeverity::warning, .sink = [&](std::string_view text) { all += text; }});
    log.info("test", "quiet");
    log.warning("test", "loud");
    log.set_severity(LogSeverity::debug);
    log.debug("test", "detail");
    EXPECT_TRUE(log.flush());
  }
  EXPECT_EQ(all.find("quiet"), std::string::npos);
  EXPECT_NE(all.find("WARN  test loud"), std::string::npos);
  EXPECT_NE(all.find("DEBUG test detail"), std::string::npos);
}

}  // namespace
}  // namespace tailwater::shell
