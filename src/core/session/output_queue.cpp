#include "core/session/output_queue.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace tailwater::session {

namespace {

// Calls take(piece) for every non-empty piece of the response in sending order, until it answers false.
template <class Take>
bool each_piece(const Response& response, Take take) {
  const Bytes bytes(response.bytes);
  std::size_t from = 0;
  for (const Splice& splice : response.splices) {
    if (splice.position > from && !take(bytes.subspan(from, splice.position - from))) return false;
    from = splice.position;
    if (!splice.payload.empty() && !take(splice.payload)) return false;
  }
  return from == bytes.size() || take(bytes.subspan(from));
}

}  // namespace

void OutputQueue::push(Response&& response) {
  size_ += response.size();
  responses_.push(std::move(response));
}

std::size_t OutputQueue::gather(std::span<Bytes> pieces) const {
  std::size_t count = 0;
  std::size_t skip = front_sent_;
  for (std::size_t at = 0; at < responses_.size(); ++at) {
    const bool more = each_piece(responses_[at], [&](Bytes piece) {
      if (skip >= piece.size()) {
        skip -= piece.size();
        return true;
      }
      if (count == pieces.size()) return false;
      pieces[count++] = piece.subspan(skip);
      skip = 0;
      return true;
    });
    if (!more) break;
  }
  return count;
}

void OutputQueue::sent(std::size_t bytes, std::vector<std::uint64_t>& released, ResponsePool& spare) {
  CHECK(bytes <= size_);
  size_ -= bytes;
  front_sent_ += bytes;
  while (!responses_.empty()) {
    Response& front = responses_.front();
    // Payload is given back as soon as its last byte is sent, not with the whole response.
    std::size_t end = 0;
    for (std::size_t at = 0; at < front.splices.size(); ++at) {
      const Splice& splice = front.splices[at];
      end += splice.payload.size();
      if (splice.position + end > front_sent_) break;
      if (at < front_splices_released_) continue;
      if (splice.release != 0) released.push_back(splice.release);
      front_splices_released_ = at + 1;
    }
    const std::size_t whole = front.size();
    if (front_sent_ < whole) return;
    front_sent_ -= whole;
    front_splices_released_ = 0;
    spare.give(std::move(front));
    responses_.pop();
  }
}

void OutputQueue::clear(std::vector<std::uint64_t>& released) {
  for (std::size_t index = 0; index < responses_.size(); ++index) {
    const auto& splices = responses_[index].splices;
    for (std::size_t at = index == 0 ? front_splices_released_ : 0; at < splices.size(); ++at) {
      if (splices[at].release != 0) released.push_back(splices[at].release);
    }
  }
  responses_.clear();
  front_sent_ = front_splices_released_ = size_ = 0;
}

}  // namespace tailwater::session
