// When which of numbered things is over: a heap that knows where each number stands, so that one can be taken
// out. It keeps its memory, and allocates nothing once it has been as large as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/time.hpp"

namespace tailwater::node {

class Deadlines {
 public:
  bool empty() const { return heap_.empty(); }
  Instant next() const { return heap_.empty() ? Instant::max() : heap_.front().when; }
  // The number whose time is over first. REQUIRES: not empty.
  std::uint32_t first() const { return heap_.front().number; }

  // REQUIRES: the number, which should be small, has no deadline.
  void set(std::uint32_t number, Instant when) {
    if (number >= places_.size()) places_.resize(number + 1, kNowhere);
    CHECK(places_[number] == kNowhere);
    heap_.push_back({when, number});
    places_[number] = heap_.size() - 1;
    rise(heap_.size() - 1);
  }
  // Nothing if it has none.
  void drop(std::uint32_t number) {
    if (number >= places_.size() || places_[number] == kNowhere) return;
    const std::size_t place = std::exchange(places_[number], kNowhere);
    const Entry last = heap_.back();
    heap_.pop_back();
    if (place == heap_.size()) return;
    put(place, last);
    rise(place);
    sink(places_[last.number]);
  }

 private:
  static constexpr std::size_t kNowhere = SIZE_MAX;
  struct Entry {
    Instant when;
    std::uint32_t number = 0;
  };

  void put(std::size_t place, const Entry& entry) {
    heap_[place] = entry;
    places_[entry.number] = place;
  }
  void rise(std::size_t place) {
    const Entry entry = heap_[place];
    while (place > 0 && entry.when < heap_[(place - 1) / 2].when) {
      put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, entry);
  }
  void sink(std::size_t place) {
    const Entry entry = heap_[place];
    for (;;) {
      std::size_t child = 2 * place + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1].when < heap_[child].when) ++child;
      if (heap_[child].when >= entry.when) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, entry);
  }

  std::vector<Entry> heap_;
  std::vector<std::size_t> places_;  // by number
};

}  // namespace tailwater::node
