// `tailwater dev`: the same broker with nothing to configure. Decisions as plain functions, so that they can
// be tested.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tailwater::apps {

struct DevPlace {
  std::string data;  // folder
  std::uint16_t port = 9092;
  std::string admin;           // host:port
  std::string container_host;  // name of the container that we run in; empty: none
  std::uint16_t container_port = 19092;
};

// The folder for data when none is given: $XDG_DATA_HOME/tailwater/dev or ~/.local/share/tailwater/dev.
std::string default_data_folder(const char* xdg_data_home, const char* home);

// What server.properties would have to say.
std::map<std::string, std::string> dev_properties(const DevPlace& place);

// What the user reads when the broker is ready.
struct DevBanner {
  std::string version;
  std::string broker;
  std::vector<std::string> further_brokers;  // other addresses and for whom they are
  std::string admin;
  std::string data;
  std::string program = "tailwater";  // as this one was called
};
// GUARANTEES: its commands work as typed in another terminal in the same folder, also when typed again.
std::string dev_banner(const DevBanner& banner);

}  // namespace tailwater::apps
