// A request while it is being served: what it is, and where its answer goes.
#pragma once

#include <cstdint>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/session/session.hpp"
#include "wire/api_table.hpp"

namespace tailwater::node {

struct Request {
  ConnectionId connection;
  session::SlotId slot;
  wire::ApiKey key{};
  std::int16_t version = 0;
  std::int32_t correlation_id = 0;
  ListenerId listener;
  Instant received;
  std::size_t bytes = 0;
};

}  // namespace tailwater::node
