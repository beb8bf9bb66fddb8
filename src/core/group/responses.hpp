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

}  // namespace tailwater::group
