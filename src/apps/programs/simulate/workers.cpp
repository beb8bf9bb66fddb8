#include "simulate/workers.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <vector>

namespace tailwater::simulate {

namespace {

// A Report without its text, as it goes through the pipe.
struct Head {
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;
  std::uint64_t events = 0;
  std::uint64_t acknowledged = 0;
  std::array<std::uint64_t, sim::kFaults> faults{};
  Fate fate{};
  std::uint32_t text_size = 0;
};
static_assert(std::is_trivially_copyable_v<Head>);

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(2);
}

void write_all(int fd, const void* from, std::size_t size) {
  const char* at = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t written = ::write(fd, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) std::_Exit(2);
    at += written;
    size -= static_cast<std::size_t>(written);
  }
}

// False at the end of the pipe.
bool read_all(int fd, void* into, std::size_t size) {
  char* at = static_cast<char*>(into);
  while (size > 0) {
    const ssize_t got = ::read(fd, at, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

// One process; it runs every n-th seed.
struct Worker {
  pid_t pid = -1;
  int fd = -1;
  std::uint64_t next = 0;  // the seed that it is about
};

void begin(const Work& work, Worker& worker) {
  int ends[2];
  if (::pipe(ends) != 0) give_up("simulate: pipe");
  std::fflush(stdout);
  worker.pid = ::fork();
  if (worker.pid < 0) give_up("simulate: fork");
  if (worker.pid > 0) {
    ::close(ends[1]);
    worker.fd = ends[0];
    return;
  }
  ::close(ends[0]);
  for (std::uint64_t seed = worker.next; seed < work.from + work.seeds; seed += work.processes) {
    const Report report = work.run(seed);
    const Head head{report.seed,
                    report.digest,
                    report.events,
                    report.acknowledged,
                    report.faults,
                    report.fate,
                    static_cast<std::uint32_t>(report.text.size())};
    write_all(ends[1], &head, sizeof head);
    write_all(ends[1], report.text.data(), report.text.size());
  }
  std::_Exit(0);
}

enum class Next : std::uint8_t {
  more,
  nothing,   // the process is gone, and there is nothing left to do for it
  no_seeds,  // for anybody
};

// Takes one report.
Next take(const Work& work, Worker& worker) {
  Head head;
  Report report;
  bool whole = read_all(worker.fd, &head, sizeof head);
  if (whole) {
    report = {head.seed, head.digest, head.events, head.acknowledged, head.fate, head.faults, {}};
    report.text.resize(head.text_size);
    whole = read_all(worker.fd, report.text.data(), report.text.size());
  }
  if (whole) {
    worker.next = report.seed + work.processes;
    return work.done(report) ? Next::more : Next::no_seeds;
  }
  ::close(worker.fd);
  int status = 0;
  ::waitpid(worker.pid, &status, 0);
  worker.pid = -1;
  if (worker.next >= work.from + work.seeds) return Next::nothing;
  report = {};
  report.seed = worker.next;
  report.fate = Fate::crash;
  report.text = "SEED=" + std::to_string(report.seed) + " CRASHED: " +
                (WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                     : "exit " + std::to_string(WEXITSTATUS(status))) +
                "\n";
  worker.next += work.processes;
  if (!work.done(report)) return Next::no_seeds;
  if (worker.next >= work.from + work.seeds) return Next::nothing;
  begin(work, worker);
  return Next::more;
}

void end_all(const std::vector<Worker>& workers) {
  for (const Worker& worker : workers) {
    if (worker.pid < 0) continue;
    ::kill(worker.pid, SIGKILL);
    ::waitpid(worker.pid, nullptr, 0);
  }
}

}  // namespace

void work(const Work& work) {
  std::vector<Worker> workers;
  for (unsigned index = 0; index < work.processes && index < work.seeds; ++index) {
    begin(work, workers.emplace_back(Worker{-1, -1, work.from + index}));
  }
  while (!workers.empty()) {
    std::vector<pollfd> waiting;
    for (const Worker& worker : workers) waiting.push_back({.fd = worker.fd, .events = POLLIN, .revents = 0});
    if (::poll(waiting.data(), waiting.size(), -1) < 0) {
      if (errno == EINTR) continue;
      give_up("simulate: poll");
    }
    for (std::size_t index = waiting.size(); index-- > 0;) {
      if (waiting[index].revents == 0) continue;
      const Next next = take(work, workers[index]);
      if (next == Next::no_seeds) return end_all(workers);
      if (next == Next::more) continue;
      workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(index));
    }
  }
}

}  // namespace tailwater::simulate
