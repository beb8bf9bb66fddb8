#include "shell/net/connection_limits.hpp"

#include "base/check.hpp"

namespace tailwater::shell {

ConnectionLimits::ConnectionLimits(const ConnectionLimitValues& values) {
  configure(values);
}

void ConnectionLimits::configure(const ConnectionLimitValues& values) {
  std::map<IpKey, std::int64_t> overrides;
  for (const auto& [host, limit] : values.per_ip_overrides) {
    const auto addresses = resolve_for_listening(host, 0);
    if (!addresses) continue;  // a name that nobody has is no one's limit
    for (const SocketAddress& address : *addresses) overrides[address.ip()] = limit;
  }
  const std::lock_guard lock(mutex_);
  total_max_ = values.total;
  per_ip_max_ = values.per_ip;
  overrides_ = std::move(overrides);
}

ConnectionLimits::Verdict ConnectionLimits::admit(const IpKey& ip) {
  const std::lock_guard lock(mutex_);
  if (open_ >= total_max_) {
    ++refused_;
    return Verdict::too_many;
  }
  const auto found = overrides_.find(ip);
  const std::int64_t limit = found == overrides_.end() ? per_ip_max_ : found->second;
  const auto current = open_by_ip_.find(ip);
  if ((current == open_by_ip_.end() ? 0 : current->second) >= limit) {
    ++refused_;
    return Verdict::too_many_of_ip;
  }
  ++open_;
  ++open_by_ip_[ip];
  return Verdict::admitted;
}

void ConnectionLimits::release(const IpKey& ip) {
  const std::lock_guard lock(mutex_);
  const auto found = open_by_ip_.find(ip);
  CHECK(found != open_by_ip_.end());
  if (--found->second == 0) open_by_ip_.erase(found);
  --open_;
}

std::int64_t ConnectionLimits::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

std::uint64_t ConnectionLimits::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace tailwater::shell
