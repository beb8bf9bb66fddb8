// How many connections there may be, in all and per address of the peer. Shared by the acceptor, which asks,
// and the shards, which give back: it locks, once per connection and not per request.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "shell/net/socket.hpp"

namespace tailwater::shell {

struct ConnectionLimitValues {
  std::int64_t total = INT32_MAX;
  std::int64_t per_ip = INT32_MAX;
  std::vector<std::pair<std::string, std::int64_t>> per_ip_overrides;  // address or host name
};

class ConnectionLimits {
 public:
  enum class Verdict : std::uint8_t { admitted, too_many, too_many_of_ip };

  explicit ConnectionLimits(const ConnectionLimitValues& values);
  // Connections that exist stay, also beyond new limits. Resolves host names: it may wait.
  void configure(const ConnectionLimitValues& values);

  Verdict admit(const IpKey& ip);
  void release(const IpKey& ip);

  std::int64_t open() const;
  std::uint64_t refused() const;

 private:
  mutable std::mutex mutex_;
  std::int64_t total_max_ = 0;
  std::int64_t per_ip_max_ = 0;
  std::map<IpKey, std::int64_t> overrides_;
  std::map<IpKey, std::int64_t> open_by_ip_;
  std::int64_t open_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace tailwater::shell
