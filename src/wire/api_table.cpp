// Finding an API by the key that a request carries.
#include "wire/api_table.hpp"

#include <algorithm>

namespace tailwater::wire {

const ApiInfo* find_api(std::int16_t key) {
  const auto table = api_table();
  const auto found = std::ranges::lower_bound(
      table, key, {}, [](const ApiInfo& api) { return static_cast<std::int16_t>(api.key); });
  return found != table.end() && static_cast<std::int16_t>(found->key) == key ? &*found : nullptr;
}

}  // namespace tailwater::wire
