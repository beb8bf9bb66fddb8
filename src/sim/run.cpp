#include "sim/run.hpp"

#include "sim/world.hpp"

namespace tailwater::sim {

Outcome run(std::uint64_t seed, Notes notes, Transactions transactions) {
  return World(seed, notes, transactions).run();
}

}  // namespace tailwater::sim
