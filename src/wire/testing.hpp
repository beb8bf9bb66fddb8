// Small help for this room's tests. Never included by product code.
#pragma once

#include <initializer_list>

#include "base/bytes.hpp"

namespace tailwater::wire {

inline Buffer bytes_of(std::initializer_list<int> values) {
  Buffer buffer;
  for (const int value : values) buffer.push_back(static_cast<std::byte>(value));
  return buffer;
}

}  // namespace tailwater::wire
