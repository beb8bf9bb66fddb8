// Fetches: how an answer is written.
#include "base/check.hpp"
#include "node/fetch.hpp"
#include "wire/fetch_stream.hpp"

namespace tailwater::node {

void Fetches::answer(std::uint64_t id) {
  const auto at = pending_.find(id);
  Pending& fetch = at->second;
  session::Response response = response_of(fetch);
  rest_quiet_ones(fetch);
  finish(fetch);
  const Request request = std::move(fetch.request);
  pending_.erase(at);
  connections_.answer_frame(request, std::move(response));
}

bool Fetches::is_news(const Pending& fetch, std::size_t index) const {
  if (!fetch.incremental) return true;
  const FetchPart& part = fetch.parts[index];
  const session::FetchTarget& target = *fetch.targets[index];
  return part.bytes > 0 || part.error != ErrorCode::none || part.diverging || !target.answered ||
         target.answered_high_watermark != part.high_watermark ||
         target.answered_log_start != part.log_start_offset;
}

bool Fetches::same_topic(const Pending& fetch, std::size_t one, std::size_t other) const {
  const session::FetchTarget& first = *fetch.targets[one];
  const session::FetchTarget& second = *fetch.targets[other];
  return fetch.by_id ? first.topic_id == second.topic_id : first.topic == second.topic;
}

session::Response Fetches::response_of(Pending& fetch) {
  // The parts that are named, and where runs of one topic begin among them.
  named_.clear();
  runs_.clear();
  for (std::size_t index = 0; index < fetch.parts.size(); ++index) {
    if (!is_news(fetch, index)) continue;
    if (named_.empty() || !same_topic(fetch, named_.back(), index)) runs_.push_back(named_.size());
    named_.push_back(index);
  }
  session::Response frame{.bytes = connections_.buffer(), .splices = {}};
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
    const session::FetchTarget& topic = *fetch.targets[named_[runs_[run]]];
    writer.topic(topic.topic, topic.topic_id, end - runs_[run]);
    for (std::size_t at = runs_[run]; at < end; ++at) {
      failures = fetch.parts[named_[at]].error != ErrorCode::none || failures;
      write_part(writer, fetch, named_[at]);
    }
  }
  writer.finish();
  if (failures) ++failed;
  drop_all(fetch);
  std::size_t payload = 0;
  for (const wire::FetchPiece& piece : pieces_) {
    if (piece.payload.empty()) continue;
    frame.splices.push_back({piece.header_end, piece.payload, releases_[payload++]});
  }
  CHECK(payload == releases_.size());
  return frame;
}

void Fetches::write_part(wire::FetchResponseWriter& writer, Pending& fetch, std::size_t index) {
  FetchPart& part = fetch.parts[index];
  const auto target = fetch.targets[index];
  target->answered = part.error == ErrorCode::none;
  target->answered_high_watermark = part.high_watermark;
  target->answered_log_start = part.log_start_offset;
  wire::FetchOutcome outcome{.partition = target->partition,
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
  std::erase_if(part.pieces, [](Bytes piece) { return piece.empty(); });
  std::size_t bytes = 0;
  for (const Bytes piece : part.pieces) bytes += piece.size();
  writer.partition(outcome, bytes);
  for (const Bytes piece : part.pieces) {
    writer.payload(piece);
    releases_.push_back(0);
  }
  // One pin holds all pieces of a part: it is given back when the last of them is sent.
  if (!part.pieces.empty()) releases_.back() = release_token(part);
  if (bytes > 0) fetch.session->move_to_end(target);
}

}  // namespace tailwater::node
