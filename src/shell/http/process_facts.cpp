// What /proc says of this process.
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>
#include <string_view>

#include "shell/disk/descriptor.hpp"
#include "shell/http/metrics_text.hpp"

namespace tailwater::shell {

namespace {

std::string read_small_file(const char* path) {
  const Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
  std::array<char, 2048> buffer{};
  const ssize_t got = file ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
  return {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

std::uint64_t nth_number(std::string_view fields, std::size_t index) {
  for (; index > 0; --index) {
    const std::size_t space = fields.find(' ');
    if (space == std::string_view::npos) return 0;
    fields.remove_prefix(space + 1);
  }
  std::uint64_t number = 0;
  std::from_chars(fields.data(), fields.data() + fields.size(), number);
  return number;
}

std::uint64_t count_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), &::closedir);
  if (!folder) return 0;
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] != '.') ++count;
  }
  return count > 0 ? count - 1 : 0;  // without the folder's own
}

}  // namespace

ProcessFacts read_process_facts() {
  ProcessFacts facts;
  const std::string stat = read_small_file("/proc/self/stat");
  // Fields are counted from behind the name, which may contain anything: 1 is the state.
  const std::size_t name_end = stat.rfind(") ");
  if (name_end != std::string::npos) {
    const std::string_view fields = std::string_view(stat).substr(name_end + 2);
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    facts.virtual_bytes = nth_number(fields, 20);
    facts.resident_bytes = nth_number(fields, 21) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    timespec boot{};
    timespec wall{};
    ::clock_gettime(CLOCK_BOOTTIME, &boot);
    ::clock_gettime(CLOCK_REALTIME, &wall);
    facts.start_time_seconds =
        static_cast<double>(wall.tv_sec - boot.tv_sec) + static_cast<double>(nth_number(fields, 19)) / ticks;
  }
  timespec cpu{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  facts.cpu_seconds = static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) / 1e9;
  facts.open_descriptors = count_descriptors();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.max_descriptors = limit.rlim_cur;
  return facts;
}

}  // namespace tailwater::shell
