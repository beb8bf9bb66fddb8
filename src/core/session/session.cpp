#include "core/session/session.hpp"

#include <utility>

#include "base/check.hpp"
#include "wire/api_table.hpp"

namespace tailwater::session {

namespace {
constexpr std::size_t kApiKeyField = kBeginning - kSizeField;

bool asks_for_produce(Bytes frame) {
  return load_big<std::int16_t>(frame.data()) == static_cast<std::int16_t>(wire::ApiKey::produce);
}
}  // namespace

std::size_t Session::frame_size() const {
  const Bytes unread = input_.unread();
  if (unread.size() < kSizeField) return 0;
  return kSizeField + static_cast<std::size_t>(load_big<std::uint32_t>(unread.data()));
}

bool Session::may_start(bool produce) const {
  if (slots_.size() >= kRequestsInFlight || output_.size() >= kUnsentBytesMax) return false;
  return produce ? unanswered_others_ == 0 : slots_.empty();
}

bool Session::may_read() const {
  if (broken_ || closed_) return false;
  // A whole request already waits for its turn: what follows it can wait in the kernel.
  const std::size_t size = frame_size();
  return size == 0 || input_.unread().size() < size;
}

MutableBytes Session::receive_space() {
  const MutableBytes space = may_read() ? input_.space() : MutableBytes{};
  muted_ = space.empty();
  return space;
}

bool Session::wants_resume() {
  if (!muted_ || broken_ || closed_) return false;
  if (receive_space().empty()) return false;
  muted_ = false;
  return true;
}

std::optional<Frame> Session::next_frame(bool hold_produce) {
  held_ = false;
  if (broken_ || closed_) return std::nullopt;
  const Bytes unread = input_.unread();
  if (unread.size() < kSizeField) return std::nullopt;
  announced_ = load_big<std::int32_t>(unread.data());
  if (announced_ < 0 || static_cast<std::size_t>(announced_) > frame_bytes_max_) {
    broken_ = true;
    return std::nullopt;
  }
  const auto size = static_cast<std::size_t>(announced_);
  if (unread.size() - kSizeField < size) return std::nullopt;

  const Bytes frame = unread.subspan(kSizeField, size);
  const bool produce = size >= kApiKeyField && asks_for_produce(frame);
  if (!may_start(produce)) return std::nullopt;
  held_ = produce && hold_produce;
  if (held_) return std::nullopt;
  if (!produce) ++unanswered_others_;
  slots_.push(Slot{.produce = produce, .done = false, .response = {}});
  const SlotId slot{first_slot_ + slots_.size() - 1};
  BlockRef block = input_.block();
  input_.consume(kSizeField + size, produce ? Need::bulk : Need::little);
  return Frame{slot, frame, std::move(block)};
}

void Session::settle() {
  const Bytes unread = input_.unread();
  const bool bulk = unread.size() >= kBeginning && asks_for_produce(unread.subspan(kSizeField));
  input_.settle(broken_ ? 0 : frame_size(), bulk ? Need::bulk : Need::little);
}

void Session::answer(SlotId slot, Response&& response) {
  finish(slot, std::move(response));
}

void Session::answer_nothing(SlotId slot) {
  finish(slot, Response{});
}

void Session::finish(SlotId id, Response&& response) {
  if (closed_) return;
  CHECK(id.value >= first_slot_ && id.value < first_slot_ + slots_.size());
  Slot& slot = slots_[id.value - first_slot_];
  CHECK(!slot.done);
  slot.done = true;
  slot.response = std::move(response);
  while (!slots_.empty() && slots_.front().done) {
    if (!slots_.front().produce) --unanswered_others_;
    if (!slots_.front().response.bytes.empty()) output_.push(std::move(slots_.front().response));
    slots_.pop();
    ++first_slot_;
  }
}

void Session::close(std::vector<std::uint64_t>& released) {
  closed_ = true;
  output_.clear(released);
  for (std::size_t at = 0; at < slots_.size(); ++at) {
    for (const Splice& splice : slots_[at].response.splices) {
      if (splice.release != 0) released.push_back(splice.release);
    }
  }
  slots_.clear();
}

}  // namespace tailwater::session
