#include "apps/cli/bounded.hpp"

#include <future>
#include <thread>
#include <utility>

namespace tailwater::apps::cli {

bool ends_within(std::chrono::milliseconds limit, std::function<void()> work) {
  std::packaged_task<void()> task(std::move(work));
  const std::future<void> end = task.get_future();
  std::thread(std::move(task)).detach();
  return end.wait_for(limit) == std::future_status::ready;
}

}  // namespace tailwater::apps::cli
