#include "sim/fetching.hpp"

#include <string>
#include <utility>

#include "wire/error_code.hpp"

namespace tailwater::sim {

namespace {

using wire::ErrorCode;

constexpr int kFirstWithSessions = 7;
constexpr int kFirstWithIds = 13;
constexpr int kFirstWithLogStart = 5;
constexpr std::int32_t kNoSession = -1;

}  // namespace

Fetching::Fetching(Prng& random, Ledger& ledger, Topic topic, Sessions sessions)
    : ledger_(ledger),
      topic_(std::move(topic)),
      version_(draw_version_for<wire::FetchRequest>(random, topic_, kFirstWithIds)),
      in_session_(sessions == Sessions::perhaps && version_ >= kFirstWithSessions && random.one_in(2)) {}

wire::FetchRequest Fetching::request(const std::vector<FetchTarget>& targets) {
  wire::FetchRequest request;
  std::map<std::int32_t, FetchTarget> wanted;
  for (const FetchTarget& each : targets) wanted[each.partition] = each;
  if (std::exchange(anew_, false)) epoch_ = 0;
  request.session_id = in_session_ ? id_ : 0;
  request.session_epoch = in_session_ ? epoch_ : kNoSession;
  const bool all = !in_session_ || epoch_ == 0;
  wire::FetchRequest::FetchTopic topic;
  topic.topic = topic_.name;
  topic.topic_id = topic_.id;
  for (const auto& [partition, target] : wanted) {
    const auto before = targets_.find(partition);
    if (!all && before != targets_.end() && before->second == target) continue;
    topic.partitions.push_back(
        {.partition = partition, .fetch_offset = target.position, .partition_max_bytes = target.bytes_max});
  }
  if (!topic.partitions.empty()) request.topics.push_back(std::move(topic));
  if (!all) {
    std::vector<std::int32_t> forgotten;
    for (const auto& [partition, target] : targets_) {
      if (!wanted.contains(partition)) forgotten.push_back(partition);
    }
    if (!forgotten.empty())
      request.forgotten_topics_data.push_back(
          {.topic = topic_.name, .topic_id = topic_.id, .partitions = std::move(forgotten)});
  }
  targets_ = std::move(wanted);
  return request;
}

bool Fetching::accept(const wire::FetchResponse& response) {
  if (response.error_code != ErrorCode::none) {
    const bool of_session = response.error_code == ErrorCode::fetch_session_id_not_found ||
                            response.error_code == ErrorCode::invalid_fetch_session_epoch;
    if (!of_session && !wire::retriable(response.error_code))
      ledger_.fail("I18: fetch refused with " + std::string(wire::name(response.error_code)));
    if (response.error_code == ErrorCode::fetch_session_id_not_found) id_ = 0;
    begin_anew();
    return false;
  }
  check_parts(response);
  if (!in_session_) {
    if (response.session_id != 0) ledger_.fail("a fetch without a session was given one");
    return true;
  }
  if (epoch_ > 0 && response.session_id != id_) ledger_.fail("another fetch session answers");
  id_ = response.session_id;
  // Zero: there was no room for a session.
  epoch_ = id_ == 0 ? 0 : epoch_ + 1;
  return true;
}

void Fetching::check_parts(const wire::FetchResponse& response) {
  for (const auto& topic : response.responses) {
    const bool known = version_ < kFirstWithIds ? topic.topic == topic_.name : topic.topic_id == topic_.id;
    if (!known) ledger_.fail("I7: a fetch of " + topic_.name + " is told of another topic");
    for (const auto& part : topic.partitions) {
      if (!targets_.contains(part.partition_index))
        ledger_.fail("I7: a fetch is told of partition " + std::to_string(part.partition_index) + " of " +
                     topic_.name + ", which it does not ask for");
      if (part.error_code == ErrorCode::none && version_ >= kFirstWithLogStart && part.log_start_offset < 0)
        ledger_.fail("I17: a fetch is not told where " + topic_.name + " begins");
    }
  }
}

}  // namespace tailwater::sim
