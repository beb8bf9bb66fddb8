// A connection between its acceptance and its adoption by a shard.
#pragma once

#include "base/ids.hpp"
#include "shell/disk/descriptor.hpp"
#include "shell/net/socket.hpp"

namespace tailwater::shell {

struct AcceptedSocket {
  Descriptor socket;
  ListenerId listener;
  SocketAddress peer;
};

}  // namespace tailwater::shell
