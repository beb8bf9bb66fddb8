#include "programs/load/eviction.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace tailwater::load {

namespace {

bool is_partition_of(const std::string& folder, const std::string& topic) {
  return folder.starts_with(topic + "-") && folder.size() > topic.size() + 1 &&
         folder.find_first_not_of("0123456789", topic.size() + 1) == std::string::npos;
}

}  // namespace

std::size_t evict(const std::string& root, const std::string& topic) {
  namespace fs = std::filesystem;
  std::size_t files = 0;
  std::error_code error;  // files may go while we look
  for (auto at = fs::recursive_directory_iterator(root, error); at != fs::recursive_directory_iterator();
       at.increment(error)) {
    if (error) break;
    if (!is_partition_of(at->path().parent_path().filename().string(), topic)) continue;
    const int file = ::open(at->path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    ::fdatasync(file);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
    ++files;
  }
  return files;
}

Eviction::Eviction(std::string root, std::string topic, std::atomic<std::uint32_t>& rounds)
    : rounds_(rounds) {
  if (root.empty()) return;
  evict(root, topic);
  thread_ =
      std::thread([this, root = std::move(root), topic = std::move(topic), seen = rounds.load()]() mutable {
        for (;;) {
          rounds_.wait(seen);
          if (over_) return;
          seen = rounds_;
          evict(root, topic);
        }
      });
}

Eviction::~Eviction() {
  over_ = true;
  ++rounds_;
  rounds_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace tailwater::load
