#include "programs/limit/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace tailwater::limit {

namespace {

constexpr std::size_t kFrameMax = std::size_t{4} << 20;
constexpr std::size_t kSecondFrameFrom = std::size_t{16} << 10;  // a smaller one waits for the first to end
constexpr std::size_t kFramesUnderWay = 2;
constexpr std::size_t kWritesInFlight = 8;
constexpr unsigned kEntries = 64;

[[noreturn]] void give_up(const std::string& what, int error = errno) {
  throw std::runtime_error(what + ": " + std::strerror(error));
}

// Some file systems in memory know no O_DIRECT.
int open_direct(const std::string& path, int flags) {
  const int all = O_CREAT | O_RDWR | O_CLOEXEC | flags;
  int file = ::open(path.c_str(), all | O_DIRECT, 0644);
  if (file < 0 && errno == EINVAL) file = ::open(path.c_str(), all, 0644);
  if (file < 0) give_up(path);
  return file;
}

}  // namespace

BlockMemory::BlockMemory(std::size_t bytes)
    : begin_(static_cast<std::byte*>(std::aligned_alloc(kBlock, whole_blocks(bytes)))),
      size_(whole_blocks(bytes)) {
  if (begin_ == nullptr) throw std::bad_alloc();
}

BlockMemory::~BlockMemory() {
  std::free(begin_);
}

Files::Files(const std::string& folder, int wake, std::size_t journal_bytes)
    : folder_(folder), journal_bytes_(journal_bytes) {
  ::mkdir(folder_.c_str(), 0755);
  if (const int error = io_uring_queue_init(kEntries, &ring_, IORING_SETUP_COOP_TASKRUN); error < 0) {
    give_up("io_uring", -error);
  }
  if (const int error = io_uring_register_eventfd(&ring_, wake); error < 0) give_up("io_uring", -error);
  const std::string name = folder_ + "/journal";
  journal_ = open_direct(name, O_DSYNC);
  filling_ = make_frame();
  const MutableBytes pattern = filling_->memory->bytes();
  std::memset(pattern.data(), 'j', pattern.size());
  for (std::size_t at = 0; at < journal_bytes_; at += pattern.size()) {
    if (::pwrite(journal_, pattern.data(), pattern.size(), static_cast<off_t>(at)) < 0) give_up(name);
  }
}

Files::~Files() {
  io_uring_queue_exit(&ring_);  // ends what is in flight
  for (const int file : files_) ::close(file);
  ::close(journal_);
}

int Files::make_file(const std::string& name, std::size_t bytes) {
  const std::string path = folder_ + "/" + name;
  const int file = open_direct(path, 0);
  files_.push_back(file);
  if (::fallocate(file, 0, 0, static_cast<off_t>(bytes)) != 0) give_up(path);
  return file;
}

std::unique_ptr<Files::Frame> Files::make_frame() {
  if (!spare_.empty()) {
    auto frame = std::move(spare_.back());
    spare_.pop_back();
    return frame;
  }
  auto frame = std::make_unique<Frame>();
  frame->memory = std::make_unique<BlockMemory>(kFrameMax);
  return frame;
}

void Files::add(Bytes bytes) {
  while (!bytes.empty()) {
    const std::size_t room = kFrameMax - filling_->size;
    const std::size_t part = std::min(room, bytes.size());
    std::memcpy(filling_->memory->bytes().data() + filling_->size, bytes.data(), part);
    filling_->size += part;
    bytes = bytes.subspan(part);
    if (filling_->size == kFrameMax) send_off();
  }
}

void Files::when_durable(Done done) {
  filling_->waiting.push_back(std::move(done));
}

void Files::flush() {
  const bool is_worth_it = under_way_.empty() || filling_->size >= kSecondFrameFrom;
  if (filling_->waiting.empty() || under_way_.size() >= kFramesUnderWay || !is_worth_it) return;
  send_off();
}

void Files::send_off() {
  under_way_.push_back(std::exchange(filling_, make_frame()));
  Frame& frame = *under_way_.back();
  const std::size_t size = whole_blocks(std::max<std::size_t>(frame.size, 1));
  if (at_ + size > journal_bytes_) at_ = 0;
  submit(std::make_unique<Write>(journal_, at_, frame.memory->bytes().first(size), Done{}, &frame));
  at_ += size;
}

void Files::write(int file, std::uint64_t position, Bytes blocks, Done done) {
  queue_.push_back(std::make_unique<Write>(file, position, blocks, std::move(done), nullptr));
  submit_queued();
}

void Files::submit_queued() {
  while (!queue_.empty() && in_flight_ < kWritesInFlight) {
    ++in_flight_;
    submit(std::move(queue_.front()));
    queue_.pop_front();
  }
}

void Files::submit(std::unique_ptr<Write> write) {
  io_uring_sqe* const entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) throw std::runtime_error("more writes than there is room for");
  io_uring_prep_write(entry, write->file, write->bytes.data(), static_cast<unsigned>(write->bytes.size()),
                      write->position);
  io_uring_sqe_set_data(entry, write.release());
  if (const int error = io_uring_submit(&ring_); error < 0) give_up("io_uring", -error);
}

void Files::ended(Write& write, int result) {
  if (result < 0) give_up("a write", -result);
  if (static_cast<std::size_t>(result) != write.bytes.size()) throw std::runtime_error("a short write");
  if (write.frame != nullptr) {
    write.frame->is_over = true;
    return;
  }
  --in_flight_;
  if (write.done) write.done();
}

void Files::complete() {
  io_uring_cqe* event = nullptr;
  while (io_uring_peek_cqe(&ring_, &event) == 0) {
    const std::unique_ptr<Write> write(static_cast<Write*>(io_uring_cqe_get_data(event)));
    const int result = event->res;
    io_uring_cqe_seen(&ring_, event);
    ended(*write, result);
  }
  submit_queued();
  while (!under_way_.empty() && under_way_.front()->is_over) {
    std::unique_ptr<Frame> frame = std::move(under_way_.front());
    under_way_.pop_front();
    for (const Done& done : frame->waiting) done();
    frame->waiting.clear();
    frame->size = 0;
    frame->is_over = false;
    spare_.push_back(std::move(frame));
  }
}

}  // namespace tailwater::limit
