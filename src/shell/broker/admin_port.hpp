// The broker's HTTP port: /livez, /readyz, /metrics, and / which names them. It answers from a thread of its
// own and asks the shards by posting, so that a stuck shard shows as a late answer and not as a silent port.
#pragma once

#include <string>

#include "shell/http/server.hpp"
#include "shell/log/log.hpp"

namespace tailwater::shell {

class Broker;

class AdminPort {
 public:
  // `broker` outlives it.
  AdminPort(Broker& broker, Log& log);

  Result<void> start(std::string_view address);  // "host:port"
  void stop();
  const std::string& address() const { return address_; }
  // For further pages; before start().
  HttpServer& server() { return server_; }

 private:
  void index(const HttpRequest& request, const HttpReply& reply) const;
  void live(const HttpRequest& request, const HttpReply& reply) const;
  void ready(const HttpRequest& request, const HttpReply& reply) const;
  void metrics(const HttpRequest& request, const HttpReply& reply) const;

  Broker& broker_;
  HttpServer server_;
  std::string address_;
};

}  // namespace tailwater::shell
