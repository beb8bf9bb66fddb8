// For calls into libraries that may never return.
#pragma once

#include <chrono>
#include <functional>

namespace tailwater::apps::cli {

// Runs `work` on a thread of its own, and returns whether it ended within that time. Work that did not goes
// on until the process ends: what it uses must live as long, and must not be used by anybody else any more.
[[nodiscard]] bool ends_within(std::chrono::milliseconds limit, std::function<void()> work);

}  // namespace tailwater::apps::cli
