#include "shell/disk/uring_engine.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/check.hpp"
#include "shell/disk/disk_error.hpp"

namespace tailwater::shell {
namespace {

// The low bit of user_data tells the fdatasync that follows a write from the write itself.
constexpr std::uint64_t kFlushBit = 1;
static_assert(alignof(DataTask) > 1);

// Threads of the kernel that do what would block: syncs, buffered writes, growing files.
constexpr unsigned kKernelThreads = 8;

// Asks for the cheapest ring first; older kernels know fewer flags. The ring is born disabled so that it
// belongs to the thread that uses it, not to the one that made it.
int make_ring(unsigned entries, io_uring& ring, bool& enabled) {
  constexpr unsigned cooperative = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  constexpr unsigned choices[] = {cooperative | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_R_DISABLED,
                                  cooperative, 0U};
  int error = -EINVAL;
  for (const unsigned flags : choices) {
    error = io_uring_queue_init(entries, &ring, flags);
    enabled = (flags & IORING_SETUP_R_DISABLED) == 0;
    if (error != -EINVAL) break;
  }
  return error;
}

// Whether a look at the empty queue of completions enters the kernel: it left work for this thread
// (cooperative completion), or the queue overflowed.
bool work_is_left(const io_uring& ring) {
  return (__atomic_load_n(ring.sq.kflags, __ATOMIC_RELAXED) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) !=
         0;
}

}  // namespace

UringEngine::UringEngine(unsigned in_flight_max, const Wake& wake)
    : wake_(wake), in_flight_max_(std::max(in_flight_max, 2U)) {
  // A durable write may take two entries, so the bound is passed by one at most.
  const unsigned entries = in_flight_max_ + 1;
  if (const int error = make_ring(entries, ring_, enabled_); error < 0) {
    throw std::system_error(-error, std::generic_category(), "io_uring");
  }
}

UringEngine::~UringEngine() {
  CHECK(in_flight_ == 0);
  io_uring_queue_exit(&ring_);
}

void UringEngine::enable() {
  // liburing 2.3 declares a call for this and does not export it.
  CHECK(::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) == 0);
  enabled_ = true;
  unsigned limits[2] = {kKernelThreads, kKernelThreads};
  // Without it the kernel's own, larger bound holds.
  (void)io_uring_register_iowq_max_workers(&ring_, limits);
}

void UringEngine::begin(std::unique_ptr<DataTask> task) {
  if (task->nothing_to_do()) {
    ready_.push_back(std::move(task));
    wake_.signal();
    return;
  }
  (task->op().urgent ? urgent_ : normal_).push_back(std::move(task));
  counters_.queued_max = std::max<std::uint64_t>(counters_.queued_max, urgent_.size() + normal_.size());
}

io_uring_sqe* UringEngine::entry(DataTask& task) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  CHECK(sqe != nullptr);  // the ring has an entry for everything that may be in flight
  ++in_flight_;
  ++unsubmitted_;
  ++task.ring.pending;
  ++counters_.submissions;
  counters_.in_flight_max = std::max<std::uint64_t>(counters_.in_flight_max, in_flight_);
  return sqe;
}

void UringEngine::prepare_flush(DataTask& task) {
  io_uring_sqe* sqe = entry(task);
  io_uring_prep_fsync(sqe, task.descriptor(), IORING_FSYNC_DATASYNC);
  sqe->user_data = reinterpret_cast<std::uint64_t>(&task) | kFlushBit;
  task.ring.has_flush = true;
  ++counters_.flushes;
}

// Ownership passes to the ring's user_data until the last completion.
void UringEngine::prepare(std::unique_ptr<DataTask> owned) {
  DataTask& task = *owned.release();
  task.ring = {};
  if (task.op().kind == DiskOpKind::sync) return prepare_flush(task);

  const DataTask::Part part = task.next_part();
  std::vector<iovec>& memory = task.iovecs();
  io_uring_sqe* sqe = entry(task);
  if (task.op().kind == DiskOpKind::read) {
    io_uring_prep_read(sqe, task.descriptor(), memory[0].iov_base, static_cast<unsigned>(part.size), part.at);
  } else if (memory.size() == 1) {
    io_uring_prep_write(sqe, task.descriptor(), memory[0].iov_base, static_cast<unsigned>(part.size),
                        part.at);
  } else {
    io_uring_prep_writev(sqe, task.descriptor(), memory.data(), static_cast<unsigned>(memory.size()),
                         part.at);
  }
  if (task.durable_by() == DurableBy::dsync) sqe->rw_flags = RWF_DSYNC;
  sqe->user_data = reinterpret_cast<std::uint64_t>(&task);
  task.ring.has_io = true;
  if (part.last && task.durable_by() == DurableBy::fdatasync) {
    sqe->flags |= IOSQE_IO_LINK;  // a short write breaks the link: the flush is then asked for again
    prepare_flush(task);
  }
}

void UringEngine::flush() {
  if (!enabled_) enable();
  while (in_flight_ < in_flight_max_) {
    Queue& queue = urgent_.empty() ? normal_ : urgent_;
    if (queue.empty()) break;
    std::unique_ptr<DataTask> task = std::move(queue.front());
    queue.pop_front();
    prepare(std::move(task));
  }
  if (unsubmitted_ > 0) enter();
}

void UringEngine::enter() {
  ++counters_.ring_calls;
  const int taken = io_uring_submit(&ring_);
  if (taken >= 0) {
    unsubmitted_ -= static_cast<unsigned>(taken);
    if (unsubmitted_ == 0) return;
    if (taken > 0) links_broken_ = true;
  }
  CHECK(taken != -EEXIST);  // the ring belongs to the thread that used it first
  // No memory, or completions to be reaped first: the entries stay in the queue and go with the next turn.
  ++counters_.refused;
  wake_.signal();
}

void UringEngine::completed(std::unique_ptr<DataTask> task, std::vector<std::unique_ptr<DataTask>>& ended) {
  const DataTask::Step step =
      task->ended_in_ring(links_broken_ ? DataTask::Order::any : DataTask::Order::linked);
  if (step == DataTask::Step::done) {
    ended.push_back(std::move(task));
  } else if (step == DataTask::Step::flush) {
    DataTask& waiting = *task.release();
    waiting.ring = {};
    prepare_flush(waiting);
  } else {
    (task->op().urgent ? urgent_ : normal_).push_front(std::move(task));
  }
}

void UringEngine::reap(std::vector<std::unique_ptr<DataTask>>& ended) {
  for (auto& task : ready_) ended.push_back(std::move(task));
  ready_.clear();
  if (in_flight_ == 0) return;
  io_uring_cqe* cqe = nullptr;
  while (in_flight_ > 0) {
    if (io_uring_cq_ready(&ring_) == 0 && work_is_left(ring_)) ++counters_.ring_calls;
    if (io_uring_peek_cqe(&ring_, &cqe) != 0) break;
    const std::uint64_t data = cqe->user_data;
    const std::int64_t result = cqe->res;
    io_uring_cqe_seen(&ring_, cqe);
    --in_flight_;
    auto* task = reinterpret_cast<DataTask*>(data & ~kFlushBit);
    if ((data & kFlushBit) != 0) {
      task->ring.flush_result = result;
    } else {
      task->ring.io_result = result;
    }
    if (--task->ring.pending == 0) completed(std::unique_ptr<DataTask>(task), ended);
  }
  if (in_flight_ == 0) links_broken_ = false;
  if (unsubmitted_ > 0 || !urgent_.empty() || !normal_.empty()) flush();
}

bool UringEngine::has_ended() const {
  return io_uring_cq_ready(&ring_) > 0 || io_uring_cq_has_overflow(&ring_);
}

bool UringEngine::idle() const {
  return in_flight_ == 0 && urgent_.empty() && normal_.empty() && ready_.empty();
}

std::string uring_unavailable() {
  io_uring ring{};
  bool enabled = false;
  const int error = make_ring(2, ring, enabled);
  if (error < 0) {
    switch (-error) {
      case ENOSYS:
        return "the kernel has no io_uring";
      case EPERM:
        return "io_uring is not permitted (container profile or kernel.io_uring_disabled)";
      case ENOMEM:
        return "io_uring needs more locked memory (ulimit -l)";
      default:
        return "io_uring: " + errno_text(-error);
    }
  }
  io_uring_probe* probe = io_uring_get_probe_ring(&ring);
  const bool complete = probe != nullptr && io_uring_opcode_supported(probe, IORING_OP_READ) != 0 &&
                        io_uring_opcode_supported(probe, IORING_OP_WRITE) != 0 &&
                        io_uring_opcode_supported(probe, IORING_OP_WRITEV) != 0 &&
                        io_uring_opcode_supported(probe, IORING_OP_FSYNC) != 0;
  if (probe != nullptr) io_uring_free_probe(probe);
  io_uring_queue_exit(&ring);
  return complete ? "" : "the kernel's io_uring is too old";
}

}  // namespace tailwater::shell
