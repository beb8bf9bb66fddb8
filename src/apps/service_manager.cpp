#include "apps/service_manager.hpp"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>

#include "shell/disk/descriptor.hpp"

namespace tailwater::apps {

ServiceManager::ServiceManager() {
  if (const char* socket = ::getenv("NOTIFY_SOCKET")) socket_ = socket;
  const char* watchdog = ::getenv("WATCHDOG_USEC");
  if (socket_.empty() || watchdog == nullptr) return;
  long interval_us = 0;
  std::from_chars(watchdog, watchdog + ::strlen(watchdog), interval_us);
  if (interval_us > 0) watchdog_interval_ms_ = static_cast<int>(std::clamp(interval_us / 2000, 1L, 60'000L));
}

void ServiceManager::keep_alive() const {
  if (watchdog_interval_ms_ > 0) tell("WATCHDOG=1");
}

void ServiceManager::tell(std::string_view message) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  ::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = 0;  // a name that is no file
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const shell::Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace tailwater::apps
