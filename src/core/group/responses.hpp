// Small help with answers that several parts of the coordinator give.
#pragma once

#include "core/group/types.hpp"

namespace tailwater::group {

// Where partitions of a response were promised success, they get the error instead.
template <class Response>
void set_error(Response& response, ErrorCode error) {
  if (error == ErrorCode::none) return;
  for (auto& topic : response.topics) {
    for (auto& partition : topic.partitions) {
      if (partition.error_code == ErrorCode::none) partition.error_code = error;
    }
  }
}

// To a commit of offsets: the same error for each partition.
template <class Response, class Request>
Response commit_response(const Request& request, ErrorCode error) {
  Response response;
  response.topics.reserve(request.topics.size());
  for (const auto& topic : request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    answered.topic_id = topic.topic_id;
    answered.partitions.reserve(topic.partitions.size());
    for (const auto& partition : topic.partitions) {
      answered.partitions.push_back({.partition_index = partition.partition_index, .error_code = error});
    }
  }
  return response;
}

}  // namespace tailwater::group
