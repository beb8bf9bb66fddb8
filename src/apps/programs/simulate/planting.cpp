#include "simulate/planting.hpp"

#include <algorithm>

#include "base/plant.hpp"

namespace tailwater::simulate {

#ifdef TAILWATER_PLANTS

bool plant(std::string_view name) {
  const auto found = std::ranges::find(kPlantNames, name);
  if (found == kPlantNames.end()) return false;
  tailwater::plant(static_cast<Plant>(found - kPlantNames.begin()));
  return true;
}

std::string plant_names() {
  std::string names;
  for (const std::string_view name : kPlantNames) names += std::string(name) + "\n";
  return names;
}

#else

bool plant(std::string_view) {
  return false;
}

std::string plant_names() {
  return {};
}

#endif

}  // namespace tailwater::simulate
