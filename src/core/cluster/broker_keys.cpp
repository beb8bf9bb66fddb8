// The keys of server.properties: Kafka's names, types, defaults and limits, and what each does here. One
// sorted table, joined from the files of its letters.
#include <array>
#include <cstddef>

#include "core/cluster/broker_keys_a_f.hpp"
#include "core/cluster/broker_keys_g_l.hpp"
#include "core/cluster/broker_keys_m_r.hpp"
#include "core/cluster/broker_keys_s.hpp"
#include "core/cluster/broker_keys_t_z.hpp"

namespace tailwater::cluster {

namespace {

template <std::size_t... Counts>
constexpr auto join(const ConfigKey (&... parts)[Counts]) {
  std::array<ConfigKey, (Counts + ...)> all;
  std::size_t at = 0;
  const auto add = [&](const auto& part) {
    for (const ConfigKey& key : part) all[at++] = key;
  };
  (add(parts), ...);
  return all;
}

constexpr auto kBrokerKeys =
    join(kBrokerKeysAToF, kBrokerKeysGToL, kBrokerKeysMToR, kBrokerKeysS, kBrokerKeysTToZ);
static_assert(sorted_by_name(kBrokerKeys));

}  // namespace

std::span<const ConfigKey> broker_keys() {
  return kBrokerKeys;
}

}  // namespace tailwater::cluster
