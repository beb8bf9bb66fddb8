// What one connection says: which request comes next, and what an answer means. A unit of work is what is
// counted and timed: one request, or one transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "programs/load/plan.hpp"

namespace tailwater::load {

class Script {
 public:
  enum class Heard : std::uint8_t {
    done,   // the unit is complete
    more,   // its next request is to be sent now
    again,  // not yet, says the broker: the same request is to be sent after a short while
    wrong,  // the load ends; problem() says why
  };

  virtual ~Script() = default;
  // The frame to send, whole with its size; its correlation id is set by who sends it.
  virtual MutableBytes next() = 0;
  // An answer without its size. Answers come in the order of the requests.
  virtual Heard hear(Bytes answer) = 0;
  const std::string& problem() const { return problem_; }

 protected:
  std::string problem_;
};

// The script of one connection, as the plan has it.
std::unique_ptr<Script> make_script(const Plan& plan, std::uint32_t connection);

}  // namespace tailwater::load
