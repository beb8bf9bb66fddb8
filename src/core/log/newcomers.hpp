// New logs whose first entries wait (LogState::held) until all that the twin's queue had is durable: a log
// with the same name may have been removed there just now. Were the new one on stable storage before that, a
// crash would leave two logs for one folder. Those of a soft ring that is only being made wait for it, too.
#pragma once

#include <cstdint>
#include <vector>

#include "core/log/log_state.hpp"

namespace tailwater::log {

class Newcomers {
 public:
  explicit Newcomers(Directory& dir) : dir_(dir) {}

  // Call before the log's first entry is pushed.
  void admit(LogState& log);
  void turn();
  bool empty() const { return waiting_.empty(); }

 private:
  struct Waiting {
    LogState* log = nullptr;
    std::uint64_t number = 0;  // of the twin's entry
  };

  Directory& dir_;
  std::vector<Waiting> waiting_;
};

}  // namespace tailwater::log
