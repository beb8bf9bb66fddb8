#include "wire/coordinator_error.hpp"

namespace tailwater::wire {

ErrorCode coordinator_error(ErrorCode of_log) {
  switch (of_log) {
    case ErrorCode::none:
      return ErrorCode::none;
    case ErrorCode::unknown_topic_or_partition:
    case ErrorCode::not_enough_replicas:
    case ErrorCode::not_enough_replicas_after_append:
    case ErrorCode::request_timed_out:
    case ErrorCode::coordinator_not_available:
      return ErrorCode::coordinator_not_available;
    case ErrorCode::not_leader_or_follower:
    case ErrorCode::kafka_storage_error:
    case ErrorCode::not_coordinator:
      return ErrorCode::not_coordinator;
    // Of offsets in a transaction: it has ended before they were written, or its producer was fenced.
    case ErrorCode::invalid_txn_state:
    case ErrorCode::invalid_producer_epoch:
      return of_log;
    default:
      return ErrorCode::unknown_server_error;
  }
}

}  // namespace tailwater::wire
