// A table of things that come and go, in numbered places: what takes the place of one that is gone finds the
// memory that it left. A thing is known by its place and by how often that was given, so that the number of
// one that is gone never names another. Things stay where they are in memory.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/check.hpp"

namespace tailwater {

template <class Item>
class Places {
 public:
  // Numbers begin at 1. The item is as the last one of its place left it.
  std::uint64_t take() {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(places_.size()));
      places_.emplace_back();
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    ++places_[place].given;
    places_[place].is_taken = true;
    return number_of(place);
  }
  // Null: what had that number is gone, or nothing ever had.
  Item* find(std::uint64_t number) {
    const std::uint32_t place = place_of(number);
    const bool is_known = place < places_.size() && places_[place].is_taken && number_of(place) == number;
    return is_known ? &places_[place].item : nullptr;
  }
  // REQUIRES: find(number).
  void give(std::uint64_t number) {
    CHECK(find(number) != nullptr);
    const std::uint32_t place = place_of(number);
    places_[place].is_taken = false;
    free_.push_back(place);
  }
  std::size_t size() const { return places_.size() - free_.size(); }

  // Places are numbered from 0, and no more than were ever taken at once.
  static std::uint32_t place_of(std::uint64_t number) { return static_cast<std::uint32_t>(number); }
  // REQUIRES: it is taken.
  Item& at(std::uint32_t place) {
    CHECK(place < places_.size() && places_[place].is_taken);
    return places_[place].item;
  }

 private:
  struct Place {
    Item item;
    std::uint32_t given = 0;
    bool is_taken = false;
  };
  std::uint64_t number_of(std::uint32_t place) const {
    return std::uint64_t{places_[place].given} << 32 | place;
  }

  std::deque<Place> places_;
  std::vector<std::uint32_t> free_;
};

}  // namespace tailwater
