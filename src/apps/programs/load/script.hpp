// What one connection says: which request comes next, and what an answer means. A unit of work is what is
// counted and timed: one request, or one transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "programs/load/journey.hpp"
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
  // A unit begins.
  virtual void begin(std::int64_t /*intended_ns*/) {}
  // An answer without its size. Answers come in the order of the requests.
  virtual Heard hear(Bytes answer, std::int64_t now_ns) = 0;
  const std::string& problem() const { return problem_; }

  // Of the unit that is complete: its records, and how long those that were followed took to come here.
  virtual std::uint64_t records() const = 0;
  virtual const std::vector<std::int64_t>& journeys_ns() const { return no_journeys_; }
  // Of the largest answer.
  virtual std::size_t answer_bytes() const { return kSmallAnswer; }

 protected:
  std::string problem_;

 private:
  static constexpr std::size_t kSmallAnswer = 64 * 1024;
  const std::vector<std::int64_t> no_journeys_;
};

// The script of one connection that writes, as the plan has it; the journey, if any, is told what is sent.
std::unique_ptr<Script> make_writer(const Plan& plan, std::uint32_t connection, Journey* journey);

}  // namespace tailwater::load
