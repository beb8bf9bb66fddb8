#include "node/produce.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "records/batch.hpp"

namespace tailwater::node {

namespace {

bool is_transactional(Bytes records) {
  return records.size() >= records::kBatchHeaderSize && records::BatchView(records).is_transactional();
}

constexpr std::int16_t kFirstVersionWithIds = 13;
// Every record is written to disk before it is answered, also for clients that would not wait at all.
constexpr std::int32_t kTimeoutMinMs = 1'000;
// Kafka's own tools may write to internal topics under this name.
constexpr std::string_view kAdminClient = "__admin_client";
// What an answer takes about, so that its memory is asked for once.
constexpr std::size_t kAnswerBytes = 64;
constexpr std::size_t kTopicAnswerBytes = 64;
constexpr std::size_t kPartAnswerBytes = 40;
// A place keeps the memory of so many parts for the next request.
constexpr std::size_t kPartsKept = 64;
}  // namespace

Result<void> Produces::serve(const Request& request, Bytes body, session::BlockRef block) {
  auto asked = wire::ProduceReader::open(body, request.version);
  if (!asked) return fail(asked.error().code, "sent a malformed Produce request: " + asked.error().message);
  ++requests;
  const std::uint64_t id = pending_.take();
  Pending& pending = *pending_.find(id);
  pending.id = id;
  pending.request = request;
  pending.acks = asked->acks();
  pending.block = std::move(block);
  pending.topics.reserve(asked->topics());
  pending.parts.reserve(asked->partitions());
  route(pending, *asked,
        context_.now.monotonic + Duration::from_ms(std::max(asked->timeout_ms(), kTimeoutMinMs)));
  return {};
}

void Produces::give_back(Pending& pending) {
  deadlines_.drop(pending_.place_of(pending.id));
  pending.block = {};
  pending.topics.clear();
  pending.parts.clear();
  if (pending.parts.capacity() > kPartsKept) {
    pending.topics = {};
    pending.parts = {};
  }
  pending.outstanding = 0;
  pending.answered = pending.any_error = false;
  pending_.give(pending.id);
}

void Produces::route(Pending& pending, wire::ProduceReader& asked, Instant deadline) {
  const std::uint64_t id = pending.id;
  const bool by_id = pending.request.version >= kFirstVersionWithIds;
  const bool acks_valid = pending.acks >= -1 && pending.acks <= 1;
  const ProduceTerms terms{.acks = pending.acks,
                           .version = pending.request.version,
                           .internal_allowed = connections_.client(pending.request).id == kAdminClient,
                           .transactional_id = asked.transactional_id().value_or(std::string_view())};
  here_.clear();
  std::map<ShardId, ProduceMail> elsewhere;
  const bool names_transaction = asked.transactional_id() && !asked.transactional_id()->empty();
  bool forbidden = false;  // records of a transaction whose id the request does not name
  std::vector<std::pair<std::uint32_t, ErrorCode>> refused;
  const auto refuse = [&](std::uint32_t part, ErrorCode error) {
    partitions_.answers.push_back({{context_.self(), id}, ProduceResult{.part = part, .error = error}});
  };
  while (asked.next_topic()) {
    pending.topics.push_back({asked.topic_name(), asked.topic_id(), asked.topic_partitions()});
    const cluster::TopicHandle found =
        by_id ? context_.image->topic(asked.topic_id()) : context_.image->topic(asked.topic_name());
    while (asked.next_partition()) {
      const auto part = static_cast<std::uint32_t>(pending.parts.size());
      const PartitionId number{asked.partition().index};
      const Bytes records = asked.partition().records.value_or(Bytes{});
      pending.parts.emplace_back(number.value);
      forbidden = forbidden || (!names_transaction && is_transactional(records));
      if (!acks_valid) {
        refused.emplace_back(part, ErrorCode::invalid_required_acks);
        continue;
      }
      if (!found || found->partition(number) == nullptr) {
        refused.emplace_back(
            part, by_id && !found ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition);
        continue;
      }
      const ShardId home = context_.home_of(*found, number);
      auto& asks = context_.is_self(home) ? here_ : elsewhere[home].asks;
      asks.emplace_back(part, PartitionKey{found->id, number}, records);
    }
  }
  pending.outstanding = pending.parts.size();
  if (pending.outstanding == 0) return finish(pending);
  deadlines_.set(pending_.place_of(id), deadline);
  // They make all of the request void, whatever is wrong with its other partitions.
  if (forbidden) {
    for (std::uint32_t part = 0; part < pending.parts.size(); ++part)
      refuse(part, ErrorCode::transactional_id_authorization_failed);
    return;
  }
  for (const auto& [part, error] : refused) refuse(part, error);
  partitions_.expect(here_);
  for (const ProduceAsk& ask : here_) partitions_.produce({context_.self(), id}, terms, ask);
  for (auto& [shard, mail] : elsewhere) {
    mail.request = id;
    mail.terms = terms;
    context_.send(shard, std::move(mail));
  }
}

void Produces::asked(ShardId from, const ProduceMail& mail) {
  partitions_.expect(mail.asks);
  for (const ProduceAsk& ask : mail.asks) partitions_.produce({from, mail.request}, mail.terms, ask);
}

void Produces::produced(std::uint64_t id, ProduceResult&& result) {
  Pending* const found = pending_.find(id);
  CHECK(found != nullptr);
  Pending& pending = *found;
  if (!pending.answered) {
    CHECK(result.part < pending.parts.size());
    Part& part = pending.parts[result.part];
    part.open = false;
    pending.any_error = pending.any_error || result.error != ErrorCode::none;
    part.result = std::move(result);
  }
  if (--pending.outstanding == 0) finish(pending);
}

void Produces::finish(Pending& pending) {
  if (!pending.answered) answer(pending);
  give_back(pending);
}

void Produces::answer(Pending& pending) {
  if (pending.any_error) ++failed;
  if (pending.acks != 0) return connections_.answer_frame(pending.request, response_of(pending));
  if (!pending.any_error) return connections_.answer_nothing(pending.request);
  // There is no answer to put the error into: Kafka closes, so that the client notices and looks again.
  connections_.close(pending.request.connection, LogLevel::info, "a produce with acks=0 failed");
}

session::Response Produces::response_of(const Pending& pending) {
  const std::size_t bytes =
      kAnswerBytes + pending.topics.size() * kTopicAnswerBytes + pending.parts.size() * kPartAnswerBytes;
  session::Response frame = connections_.blank(bytes);
  frame.bytes.reserve(bytes);
  wire::ProduceResponseWriter writer(frame.bytes, pending.request.version, pending.request.correlation_id,
                                     pending.topics.size());
  std::size_t at = 0;
  for (const Topic& topic : pending.topics) {
    writer.topic(topic.name, topic.id, topic.parts);
    for (std::size_t end = at + topic.parts; at < end; ++at) {
      const ProduceResult& result = pending.parts[at].result;
      record_errors_.clear();
      for (const auto& [index, message] : result.record_errors) record_errors_.push_back({index, message});
      wire::ProduceOutcome outcome{.partition = pending.parts[at].partition,
                                   .error = result.error,
                                   .base_offset = result.base_offset,
                                   .log_append_time_ms = result.append_time_ms,
                                   .log_start_offset = result.log_start_offset,
                                   .record_errors = record_errors_};
      if (!result.message.empty()) outcome.error_message = result.message;
      writer.partition(outcome);
    }
  }
  writer.finish(0);
  frame.tells_error = pending.any_error;
  return frame;
}

void Produces::tick() {
  while (!deadlines_.empty() && deadlines_.next() <= context_.now.monotonic) {
    Pending& pending = pending_.at(deadlines_.first());
    deadlines_.drop(deadlines_.first());
    if (pending.acks == 0) continue;
    // The records stay and may yet become durable; the client is told that nobody can say so in time.
    for (Part& part : pending.parts) {
      if (part.open) part.result.error = ErrorCode::request_timed_out;
    }
    pending.any_error = true;
    pending.answered = true;
    answer(pending);
  }
}

}  // namespace tailwater::node
