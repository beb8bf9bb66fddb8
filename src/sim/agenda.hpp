// The simulator's time: things to do, in the order of their time and, at the same time, of their making.
// Nothing else moves the clock. Wall time runs beside it from a fixed day, and may be told wrong.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/prng.hpp"
#include "base/time.hpp"

namespace tailwater::sim {

class Agenda {
 public:
  using Deed = std::move_only_function<void()>;

  explicit Agenda(std::uint64_t seed) : random_(seed) {}

  Instant now() const { return now_; }
  Now both() const { return {now_, WallTime{kFirstDayMs + clock_error_ms_ + now_.nanoseconds / 1'000'000}}; }
  void set_clock_error_ms(std::int64_t error) { clock_error_ms_ = error; }
  Prng& random() { return random_; }
  std::uint64_t done() const { return done_; }

  void at(Instant when, Deed deed) {
    deeds_.emplace(std::pair{when < now_ ? now_ : when, next_++}, std::move(deed));
  }
  void after(Duration delay, Deed deed) { at(now_ + delay, std::move(deed)); }
  // After a random time below `bound`.
  void soon(Duration bound, Deed deed) {
    const auto delay =
        static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(bound.nanoseconds) + 1));
    after(Duration{delay}, std::move(deed));
  }

  // What a person who looks into one seed may want to know; kept only if asked for.
  void keep_notes() { notes_kept_ = true; }
  void note(std::string_view text) {
    if (!notes_kept_) return;
    const std::int64_t us = now_.nanoseconds / 1'000;
    notes_ +=
        std::to_string(us / 1'000'000) + "." + std::to_string(1'000'000 + us % 1'000'000).substr(1) + " ";
    notes_ += text;
    notes_ += '\n';
  }
  const std::string& notes() const { return notes_; }

  // Does the next thing; false if there is none up to `end`.
  bool step(Instant end) {
    if (deeds_.empty() || deeds_.begin()->first.first > end) return false;
    auto first = deeds_.extract(deeds_.begin());
    now_ = first.key().first;
    ++done_;
    first.mapped()();
    return true;
  }

 private:
  static constexpr std::int64_t kFirstDayMs = 1'700'000'000'000;

  Prng random_;
  Instant now_{1'000'000'000};
  std::int64_t clock_error_ms_ = 0;
  bool notes_kept_ = false;
  std::string notes_;
  std::uint64_t next_ = 0;
  std::uint64_t done_ = 0;
  std::map<std::pair<Instant, std::uint64_t>, Deed> deeds_;
};

}  // namespace tailwater::sim
