#include "sim/run.hpp"

#include "sim/world.hpp"

namespace tailwater::sim {

Outcome run(std::uint64_t seed, Notes notes) {
  return World(seed, notes).run();
}

}  // namespace tailwater::sim
