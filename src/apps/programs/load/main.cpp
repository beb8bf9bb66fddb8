// load: writes to a broker and reads from it at little cost of its own, so that the broker and not the client
// is measured, and says how fast it was and how long requests took. Exit codes: 0 measured, 1 something
// broke, 2 usage.
#include <cstdio>
#include <exception>

#include "programs/load/plan.hpp"
#include "programs/load/runs.hpp"

int main(int count, char** words) {
  tailwater::load::Plan plan;
  if (const auto refusal = tailwater::load::parse(count, words, plan)) {
    std::fputs(refusal->text.c_str(), refusal->code == 0 ? stdout : stderr);
    return refusal->code;
  }
  try {
    tailwater::load::run(plan);
    return 0;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "load: %s\n", problem.what());
    return 1;
  }
}
