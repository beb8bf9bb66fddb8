// Which versions of the protocol a model client speaks: any that the broker advertises, drawn once for each
// client and each API.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "base/check.hpp"
#include "base/prng.hpp"
#include "base/uuid.hpp"
#include "wire/api_table.hpp"

namespace tailwater::sim {

// A topic as a client knows it. Without its id only versions that go by names can be spoken.
struct Topic {
  Topic() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a name alone is a topic, too
  Topic(std::string its_name, Uuid its_id = {}) : name(std::move(its_name)), id(its_id) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Topic(const char* its_name) : name(its_name) {}

  bool has_id() const { return id != Uuid{}; }

  std::string name;
  Uuid id;
};

template <class Request>
std::int16_t draw_version(Prng& random, int least = 0, int most = INT16_MAX) {
  const wire::ApiInfo& api = *wire::find_api(wire::ApiOf<Request>::key);
  const int low = std::max({least, int{api.min_version}, int{api.advertised_min}});
  const int high = std::min(most, int{api.advertised_max});
  CHECK(low <= high);
  return static_cast<std::int16_t>(
      low + static_cast<int>(random.below(static_cast<std::uint64_t>(high - low + 1))));
}

// The same for an API that goes by ids from `first_with_ids` on.
template <class Request>
std::int16_t draw_version_for(Prng& random, const Topic& topic, int first_with_ids, int least = 0,
                              int most = INT16_MAX) {
  return draw_version<Request>(random, least, topic.has_id() ? most : std::min(most, first_with_ids - 1));
}

}  // namespace tailwater::sim
