// Fetches: how an answer is written.
#include "base/check.hpp"
#include "node/fetch.hpp"
#include "wire/fetch_stream.hpp"

namespace tailwater::node {

namespace {
// What an answer takes about, beside the records.
constexpr std::size_t kAnswerBytes = 64;
constexpr std::size_t kPartAnswerBytes = 64;
}  // namespace

void Fetches::answer(Fetch& fetch) {
  session::Response response = response_of(fetch);
  rest_quiet_ones(fetch);
  end_attempt(fetch);
  finish(fetch);
  connections_.answer_frame(fetch.request, std::move(response));
}

bool Fetches::is_news(const Fetch& fetch, std::size_t index) const {
  if (!fetch.incremental) return true;
  const FetchPart& part = fetch.attempt->parts[index];
  const session::FetchTarget& target = (*fetch.session)[fetch.attempt->targets[index]];
  return part.bytes > 0 || part.error != ErrorCode::none || part.diverging || !target.answered ||
         target.answered_high_watermark != part.high_watermark ||
         target.answered_log_start != part.log_start_offset;
}

session::Response Fetches::response_of(Fetch& fetch) {
  const session::FetchSession& session = *fetch.session;
  const Attempt& found = *fetch.attempt;
  const auto target_of = [&](std::size_t index) -> const session::FetchTarget& {
    return session[found.targets[index]];
  };
  // The parts that are named, and where runs of one topic begin among them.
  named_.clear();
  runs_.clear();
  for (std::size_t index = 0; index < found.parts.size(); ++index) {
    if (!is_news(fetch, index)) continue;
    const bool is_same = !named_.empty() && target_of(named_.back()).topic == target_of(index).topic;
    if (!is_same) runs_.push_back(named_.size());
    named_.push_back(index);
  }
  const std::size_t bytes = kAnswerBytes + named_.size() * kPartAnswerBytes;
  session::Response frame = connections_.blank(bytes);
  frame.bytes.reserve(bytes);
  pieces_.clear();
  wire::FetchResponseWriter writer(frame.bytes, pieces_, fetch.request.version,
                                   {.correlation_id = fetch.request.correlation_id,
                                    .throttle_time_ms = 0,
                                    .error = wire::ErrorCode::none,
                                    .session_id = fetch.session_id,
                                    .topics = runs_.size()});
  bool failures = false;
  releases_.clear();
  for (std::size_t run = 0; run < runs_.size(); ++run) {
    const std::size_t end = run + 1 < runs_.size() ? runs_[run + 1] : named_.size();
    const session::FetchTopic& topic = session.topic(target_of(named_[runs_[run]]));
    writer.topic(topic.name, topic.id, end - runs_[run]);
    for (std::size_t at = runs_[run]; at < end; ++at) {
      failures = found.parts[named_[at]].error != ErrorCode::none || failures;
      write_part(writer, fetch, named_[at]);
    }
  }
  writer.finish();
  if (failures) ++failed;
  frame.tells_error = failures;
  give_back_all(fetch);
  frame.splices.reserve(releases_.size());
  std::size_t payload = 0;
  for (const wire::FetchPiece& piece : pieces_) {
    if (piece.payload.empty()) continue;
    frame.splices.push_back({piece.header_end, piece.payload, releases_[payload++]});
  }
  CHECK(payload == releases_.size());
  return frame;
}

void Fetches::write_part(wire::FetchResponseWriter& writer, Fetch& fetch, std::size_t index) {
  FetchPart& part = fetch.attempt->parts[index];
  const Slot slot = fetch.attempt->targets[index];
  session::FetchTarget& target = (*fetch.session)[slot];
  target.answered = part.error == ErrorCode::none;
  target.answered_high_watermark = part.high_watermark;
  target.answered_log_start = part.log_start_offset;
  wire::FetchOutcome outcome{.partition = target.wish.partition,
                             .error = part.error,
                             .high_watermark = part.high_watermark,
                             .last_stable_offset = part.last_stable_offset,
                             .log_start_offset = part.log_start_offset};
  if (part.diverging) {
    outcome.diverging_epoch = part.diverging->epoch.value;
    outcome.diverging_end_offset = part.diverging->end.value;
  }
  if (fetch.terms.read_committed) {
    aborted_.clear();
    for (const log::AbortedTransaction& each : part.aborted) {
      aborted_.push_back({each.producer_id.value, each.first_offset.value});
    }
    outcome.aborted = aborted_;
  }
  writer.partition(outcome, part.bytes);
  const auto pieces = std::span<const Bytes>(fetch.attempt->pieces).subspan(part.first_piece, part.pieces);
  for (const Bytes piece : pieces) {
    writer.payload(piece);
    releases_.push_back(0);
  }
  // One pin holds all pieces of a part: it is given back when the last of them is sent.
  if (!pieces.empty()) releases_.back() = release_token(part);
  if (part.bytes > 0) fetch.session->move_to_end(slot);
}

}  // namespace tailwater::node
