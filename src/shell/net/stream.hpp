// One connection's bytes in both directions, without waiting. The plain stream is a socket; TLS is another
// implementation of the same four functions, and the loop above does not change.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.hpp"
#include "shell/disk/descriptor.hpp"

namespace tailwater::shell {

enum class StreamStatus : std::uint8_t {
  done,        // `bytes` were transferred
  wait_read,   // nothing now: try again when the socket is readable
  wait_write,  // nothing now: try again when the socket is writable
  ended,       // the peer will send nothing more
  failed,      // reset, timed out, or the peer broke the protocol of the stream
};

struct StreamResult {
  StreamStatus status = StreamStatus::done;
  std::size_t bytes = 0;
  // Of receive(): nothing more is there now, and the next byte makes the socket readable anew. A stream that
  // cannot know (TLS reads record by record) says false and is asked again.
  bool drained = false;
};

class Stream {
 public:
  virtual ~Stream() = default;
  virtual int descriptor() const = 0;
  // REQUIRES: space is not empty.
  virtual StreamResult receive(MutableBytes space) = 0;
  // Sends a prefix of the pieces, in order. REQUIRES: at least one byte.
  virtual StreamResult send(std::span<const iovec> pieces) = 0;
};

// A socket as it is. REQUIRES: non-blocking.
std::unique_ptr<Stream> make_plain_stream(Descriptor socket);

}  // namespace tailwater::shell
