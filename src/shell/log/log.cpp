// The ring is a bounded queue of many producers and one consumer: each slot carries a ticket that says whose
// turn it is, so a producer never waits: it either gets a free slot by one compare-and-swap, or counts a
// drop.
#include "shell/log/log.hpp"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <thread>

#include "base/check.hpp"

namespace tailwater::shell {

namespace {

std::int64_t wall_time_us() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

void write_to_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;  // nobody reads: there is no better place to complain
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

class Log::State {
 public:
  explicit State(LogOptions options)
      : format_(options.format),
        sink_(options.sink ? std::move(options.sink) : write_to_stderr),
        mask_(options.capacity - 1),
        slots_(options.capacity),
        severity_(options.severity) {
    CHECK(std::has_single_bit(options.capacity));
    for (std::size_t index = 0; index < slots_.size(); ++index) slots_[index].ticket.store(index);
    writer_ = std::thread([this] { run(); });
  }

  ~State() {
    stop_.store(true);
    wake();
    writer_.join();
  }

  bool enabled(LogSeverity severity) const { return severity >= severity_.load(std::memory_order_relaxed); }
  void set_severity(LogSeverity severity) { severity_.store(severity); }
  std::uint64_t dropped() const { return dropped_.load(); }

  void push(LogEvent&& event) {
    std::uint64_t position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Slot& slot = slots_[position & mask_];
      const std::uint64_t ticket = slot.ticket.load(std::memory_order_acquire);
      if (ticket == position) {
        if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
          slot.event = std::move(event);
          slot.ticket.store(position + 1, std::memory_order_release);
          break;
        }
      } else if (ticket < position) {
        dropped_.fetch_add(1);
        return;
      } else {
        position = tail_.load(std::memory_order_relaxed);
      }
    }
    wake();
  }

  bool flush(int limit_ms) {
    const std::uint64_t target = tail_.load();
    for (int waited = 0; written_.load() < target; ++waited) {
      if (waited >= limit_ms) return false;
      const timespec pause{0, 1'000'000};
      ::nanosleep(&pause, nullptr);
    }
    return true;
  }

 private:
  struct Slot {
    std::atomic<std::uint64_t> ticket{0};
    LogEvent event;
  };

  void wake() {
    signal_.fetch_add(1);
    signal_.notify_one();
  }

  // Takes whatever is there into one piece of text, so that a burst costs few writes.
  bool collect(std::string& text) {
    constexpr std::size_t kTextMax = 64 * 1024;
    bool any = false;
    while (text.size() < kTextMax) {
      Slot& slot = slots_[head_ & mask_];
      if (slot.ticket.load(std::memory_order_acquire) != head_ + 1) break;
      text += format_log_line(slot.event, format_);
      slot.event = {};
      slot.ticket.store(head_ + slots_.size(), std::memory_order_release);
      ++head_;
      any = true;
    }
    return any;
  }

  void report_drops(std::string& text) {
    const std::uint64_t dropped = dropped_.load();
    if (dropped == reported_) return;
    LogEvent event{wall_time_us(),
                   LogSeverity::warning,
                   "log",
                   "lines were dropped: the reader of the log is slow",
                   {{"count", fmt::format("{}", dropped - reported_)}}};
    reported_ = dropped;
    text += format_log_line(event, format_);
  }

  void run() {
    std::string text;
    for (;;) {
      const std::uint32_t seen = signal_.load();
      const bool stopping = stop_.load();
      text.clear();
      if (collect(text)) {
        report_drops(text);
        sink_(text);
        written_.store(head_);
        continue;
      }
      if (stopping) return;
      signal_.wait(seen);
    }
  }

  const LogFormat format_;
  const std::function<void(std::string_view)> sink_;
  const std::uint64_t mask_;
  std::vector<Slot> slots_;
  std::atomic<LogSeverity> severity_;
  std::atomic<std::uint64_t> tail_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint32_t> signal_{0};
  std::atomic<bool> stop_{false};
  std::uint64_t head_ = 0;      // the writer's own
  std::uint64_t reported_ = 0;  // the writer's own
  std::thread writer_;
};

Log::Log(LogOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Log::~Log() = default;

bool Log::enabled(LogSeverity severity) const {
  return state_->enabled(severity);
}
void Log::set_severity(LogSeverity severity) {
  state_->set_severity(severity);
}
bool Log::flush(int limit_ms) {
  return state_->flush(limit_ms);
}
std::uint64_t Log::dropped() const {
  return state_->dropped();
}

void Log::write(LogSeverity severity, std::string_view component, std::string_view message,
                std::initializer_list<LogField> fields) {
  if (!enabled(severity)) return;
  state_->push(LogEvent{wall_time_us(), severity, std::string(component), std::string(message), fields});
}

void Log::debug(std::string_view component, std::string_view message,
                std::initializer_list<LogField> fields) {
  write(LogSeverity::debug, component, message, fields);
}
void Log::info(std::string_view component, std::string_view message, std::initializer_list<LogField> fields) {
  write(LogSeverity::info, component, message, fields);
}
void Log::warning(std::string_view component, std::string_view message,
                  std::initializer_list<LogField> fields) {
  write(LogSeverity::warning, component, message, fields);
}
void Log::error(std::string_view component, std::string_view message,
                std::initializer_list<LogField> fields) {
  write(LogSeverity::error, component, message, fields);
}

}  // namespace tailwater::shell
