// How far a long piece of work is, on one line of a terminal that is written anew. Silent elsewhere, and for
// work that is done within a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tailwater::apps::cli {

class Progress {
 public:
  Progress();
  // Call it as often as you like.
  void show(std::int64_t records, std::int64_t bytes);
  // Before anything else is written to the terminal.
  void clear();

 private:
  std::chrono::steady_clock::time_point begun_;
  std::chrono::steady_clock::time_point shown_;
  std::uint32_t calls_ = 0;
  bool terminal_;
  bool visible_ = false;
};

// "12,345"
std::string grouped(std::int64_t number);
// "1.2 MiB"
std::string size_text(std::int64_t bytes);

}  // namespace tailwater::apps::cli
