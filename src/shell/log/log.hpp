// The broker's log: one line per event, `time level component message key=value ...`, or the same as JSON.
// GUARANTEES: writing never waits for the sink: events go through a bounded ring to one writer thread, and
// what does not fit is counted and reported by the next line that fits. Lines of one thread come out in their
// order. Safe to use from every thread. It must not be given secrets or record bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace tailwater::shell {

enum class LogSeverity : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };

std::string_view to_string(LogSeverity severity);
// "debug", "info", "warn"/"warning", "error", in any case.
Result<LogSeverity> parse_log_severity(std::string_view text);

struct LogField {
  std::string key;
  std::string value;
};

struct LogEvent {
  std::int64_t time_us = 0;  // since 1970
  LogSeverity severity = LogSeverity::info;
  std::string component;
  std::string message;
  std::vector<LogField> fields;
};

// The line of an event, its newline included. Control characters are escaped: an event is always one line.
std::string format_log_line(const LogEvent& event, LogFormat format);

struct LogOptions {
  LogSeverity severity = LogSeverity::info;
  LogFormat format = LogFormat::text;
  std::size_t capacity = 4096;                   // events that may wait for the writer; a power of two
  std::function<void(std::string_view)> sink{};  // default: standard error
};

class Log {
 public:
  explicit Log(LogOptions options);
  // Writes out what was accepted.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool enabled(LogSeverity severity) const;
  void set_severity(LogSeverity severity);

  void write(LogSeverity severity, std::string_view component, std::string_view message,
             std::initializer_list<LogField> fields = {});
  void debug(std::string_view component, std::string_view message,
             std::initializer_list<LogField> fields = {});
  void info(std::string_view component, std::string_view message,
            std::initializer_list<LogField> fields = {});
  void warning(std::string_view component, std::string_view message,
               std::initializer_list<LogField> fields = {});
  void error(std::string_view component, std::string_view message,
             std::initializer_list<LogField> fields = {});

  // Waits until everything accepted so far is with the sink, or for `limit_ms`. False: the limit came first.
  bool flush(int limit_ms = 1000);
  std::uint64_t dropped() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace tailwater::shell
