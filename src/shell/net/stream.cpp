#include "shell/net/stream.hpp"

#include <errno.h>
#include <sys/socket.h>

namespace tailwater::shell {

namespace {

class PlainStream final : public Stream {
 public:
  explicit PlainStream(Descriptor socket) : socket_(std::move(socket)) {}

  int descriptor() const override { return socket_.get(); }

  StreamResult receive(MutableBytes space) override {
    for (;;) {
      const ssize_t got = ::recv(socket_.get(), space.data(), space.size(), 0);
      // A short read has emptied the socket.
      const auto bytes = static_cast<std::size_t>(got);
      if (got > 0) return {StreamStatus::done, bytes, bytes < space.size()};
      if (got == 0) return {StreamStatus::ended, 0};
      if (errno == EAGAIN || errno == EWOULDBLOCK) return {StreamStatus::wait_read, 0};
      if (errno != EINTR) return {StreamStatus::failed, 0};
    }
  }

  StreamResult send(std::span<const iovec> pieces) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = pieces.size();
    for (;;) {
      const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
      if (sent >= 0) return {StreamStatus::done, static_cast<std::size_t>(sent)};
      if (errno == EAGAIN || errno == EWOULDBLOCK) return {StreamStatus::wait_write, 0};
      if (errno != EINTR) return {StreamStatus::failed, 0};
    }
  }

 private:
  Descriptor socket_;
};

}  // namespace

std::unique_ptr<Stream> make_plain_stream(Descriptor socket) {
  return std::make_unique<PlainStream>(std::move(socket));
}

}  // namespace tailwater::shell
