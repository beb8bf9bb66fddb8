// From a request's API key to its handler. What is in the table of dispatch.cpp is what ApiVersions answers.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "core/session/session.hpp"
#include "node/request.hpp"
#include "wire/api_table.hpp"
#include "wire/reader.hpp"

namespace tailwater::node {

class ShardState;

// Serves the request whose body `reader` stands before. An error means that the connection must be closed.
Result<void> dispatch(ShardState& shard, const Request& request, wire::Reader& reader, session::Frame& frame);

// What is served, in the order of keys.
struct ServedApi {
  wire::ApiKey key{};
  std::int16_t max_version = 0;  // the schema's, or less where a newer version means something not built yet
};
std::span<const ServedApi> served_apis();

}  // namespace tailwater::node
