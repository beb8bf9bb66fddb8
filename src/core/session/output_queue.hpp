// What a connection has to send: responses in order, each made of encoded bytes with borrowed payload spliced
// in. GUARANTEES: payload is borrowed until it is sent or dropped; its release tokens then appear in
// `released`, each once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/wait_queue.hpp"
#include "core/session/response.hpp"

namespace tailwater::session {

class OutputQueue {
 public:
  void push(Response&& response);
  // Fills `pieces` with what comes next, in order; returns how many.
  std::size_t gather(std::span<Bytes> pieces) const;
  // `bytes` from the front of what gather() gave are sent. Tokens of finished payload go to `released`,
  // finished responses to `spare`.
  void sent(std::size_t bytes, std::vector<std::uint64_t>& released, ResponsePool& spare);
  // Drops everything, releasing all payload.
  void clear(std::vector<std::uint64_t>& released);

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  WaitQueue<Response> responses_;
  // Of the front response: how many of its splices, and how many bytes of the whole, are sent.
  std::size_t front_sent_ = 0;
  std::size_t front_splices_released_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tailwater::session
