// One client connection: frames in, responses out in request order, and the rule of what may overtake what.
//
//   Produce may follow Produce without waiting (idempotent producers keep five in flight); every other
//   request is a barrier: it starts when all before it are answered, and nothing starts before it is
//   answered.
//
// A connection whose answers are not read, or whose announced request has no memory yet, is not read from:
// GUARANTEES: at most kRequestsInFlight requests are being served, no request starts while kUnsentBytesMax or
// more wait to be sent.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "core/session/output_queue.hpp"
#include "core/session/receive_buffer.hpp"

namespace tailwater::session {

inline constexpr std::size_t kRequestsInFlight = 64;
inline constexpr std::size_t kUnsentBytesMax = 1 << 20;

// A request's place in the order of its connection.
struct SlotId {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(SlotId, SlotId) = default;
};

// A frame without its size field, in the session's memory until settle(); hold `block` to keep it longer.
struct Frame {
  SlotId slot;
  Bytes bytes;
  BlockRef block;
};

class Session {
 public:
  Session(ReceivePool& pool, std::size_t frame_bytes_max) : input_(pool), frame_bytes_max_(frame_bytes_max) {}

  MutableBytes receive_space();
  void received(std::size_t bytes) { input_.received(bytes); }

  // The next request whose turn has come. Afterwards answer() or answer_nothing() its slot, in any order.
  // With `hold_produce` a Produce is left where it is: held() then tells that it waits for that.
  std::optional<Frame> next_frame(bool hold_produce = false);
  bool held() const { return held_; }
  // Call after the last next_frame() of a turn.
  void settle();
  // The peer announced a frame that is negative or larger than allowed: the connection must be closed.
  bool broken() const { return broken_; }
  // What it announced, for the log.
  std::int32_t announced() const { return announced_; }

  void answer(SlotId slot, Response&& response);
  void answer_nothing(SlotId slot);

  std::size_t gather(std::span<Bytes> pieces) const { return output_.gather(pieces); }
  void sent(std::size_t bytes, std::vector<std::uint64_t>& released, ResponsePool& spare) {
    output_.sent(bytes, released, spare);
  }
  bool has_output() const { return !output_.empty(); }
  // The answer of every request that was started has been handed to the socket.
  bool idle() const { return slots_.empty() && output_.empty(); }

  // Drops everything that is not sent; late answers are dropped as well.
  void close(std::vector<std::uint64_t>& released);

  // receive_space() was empty when last asked; true as soon as that has changed.
  bool wants_resume();
  bool muted() const { return muted_; }

 private:
  struct Slot {
    bool produce = false;
    bool done = false;
    Response response;  // empty: nothing is sent for it
  };

  // Whole size of the frame that the unread bytes begin with, size field included; 0 if unknown.
  std::size_t frame_size() const;
  bool may_start(bool produce) const;
  bool may_read() const;
  void finish(SlotId slot, Response&& response);

  ReceiveBuffer input_;
  OutputQueue output_;
  WaitQueue<Slot> slots_;              // in request order; the front one is not answered yet
  std::uint64_t first_slot_ = 1;       // SlotId of slots_.front()
  std::size_t unanswered_others_ = 0;  // slots that are no Produce
  std::size_t frame_bytes_max_;
  std::int32_t announced_ = 0;
  bool broken_ = false;
  bool closed_ = false;
  bool muted_ = false;
  bool held_ = false;
};

}  // namespace tailwater::session
