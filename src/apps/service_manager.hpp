// What a service manager (systemd, Type=notify) wants to hear: ready, stopping, still alive. Without one,
// nothing happens.
#pragma once

#include <string>
#include <string_view>

namespace tailwater::apps {

class ServiceManager {
 public:
  // From NOTIFY_SOCKET and WATCHDOG_USEC.
  ServiceManager();

  void ready() const { tell("READY=1"); }
  void stopping() const { tell("STOPPING=1"); }
  void keep_alive() const;
  // How often keep_alive() is wanted; -1: never.
  int watchdog_interval_ms() const { return watchdog_interval_ms_; }

 private:
  void tell(std::string_view message) const;

  std::string socket_;
  int watchdog_interval_ms_ = -1;
};

}  // namespace tailwater::apps
