#include "apps/cli/interrupt.hpp"

#include <csignal>

namespace tailwater::apps::cli {

namespace {

volatile std::sig_atomic_t g_interrupted = 0;

void raise_flag(int) {
  g_interrupted = 1;
}

}  // namespace

void watch_for_interrupt() {
  struct sigaction action{};
  action.sa_handler = raise_flag;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

bool interrupted() {
  return g_interrupted != 0;
}

}  // namespace tailwater::apps::cli
