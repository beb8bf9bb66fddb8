// What a cluster's metadata say about its health. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/api/metadata.hpp"

namespace tailwater::apps::cli {

struct Health {
  std::size_t brokers = 0;
  std::size_t partitions = 0;
  std::size_t without_leader = 0;
  std::size_t under_replicated = 0;
  std::size_t without_directory = 0;  // some replica's broker is there, and its log directory is not
  std::vector<std::string> reasons;   // empty: healthy
};
Health health_of(const wire::MetadataResponse& metadata);

struct BrokerLoad {
  std::size_t leads = 0;     // partitions that it leads
  std::size_t replicas = 0;  // partitions that it holds
};
BrokerLoad load_of(const wire::MetadataResponse& metadata, std::int32_t broker);

}  // namespace tailwater::apps::cli
