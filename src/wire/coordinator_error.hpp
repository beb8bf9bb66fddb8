// What a coordinator tells its client when the client's record could not be written.
#pragma once

#include "wire/error_code.hpp"

namespace tailwater::wire {

// Come back later, look for the coordinator again, what only concerns its transaction, or a plain failure.
// Only the first two are retried.
ErrorCode coordinator_error(ErrorCode of_log);

}  // namespace tailwater::wire
