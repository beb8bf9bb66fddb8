// The options that every command that talks to brokers has, and how a command ends: an Error becomes one line
// on standard error and an exit code. Results alone go to standard output, so that JSON there is always
// whole.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "apps/command_line.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

struct Settings {
  std::string brokers = "127.0.0.1:9092";
  std::string format = "text";
  std::string timeout = "10s";

  bool json() const { return format == "json"; }
  Result<std::chrono::milliseconds> timeout_time() const;
};

// -B, --format and --timeout.
void add_settings(Command& command, Settings& settings);
// --format alone, for commands that need no broker.
void add_format(Command& command, Settings& settings);

// Confirmation of what cannot be undone.
struct Confirmation {
  bool yes = false;
};
void add_confirmation(Command& command, Confirmation& confirmation);
// Asks on a terminal; elsewhere -y is demanded. The question ends without a mark: "Delete 2 topics".
Result<bool> confirmed(const Confirmation& confirmation, std::string_view question);

// An Error becomes "tailwater: <message>" and exit code 1, or 2 for Errc::invalid_argument.
int finish(const Result<int>& outcome);

// One line "tailwater: <message>" on standard error.
void complain(std::string_view message);

}  // namespace tailwater::apps::cli
