#include "base/plant.hpp"

namespace tailwater {

#ifdef TAILWATER_PLANTS

namespace {
Plant present = Plant::none;
}

bool planted(Plant bug) {
  return present == bug;
}

void plant(Plant bug) {
  present = bug;
}

#endif

}  // namespace tailwater
