#include "shell/net/loop_wait.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <cstddef>

#include "base/check.hpp"

namespace tailwater::shell {

namespace asio = boost::asio;

namespace {

// Memory for the one wait that is under way at a time; so waiting allocates nothing.
struct WaitMemory {
  alignas(std::max_align_t) std::byte bytes[512];
  bool used = false;
};

template <class Value>
struct WaitAllocator {
  using value_type = Value;
  WaitMemory* memory;

  explicit WaitAllocator(WaitMemory* from) : memory(from) {}
  template <class Other>
  explicit WaitAllocator(const WaitAllocator<Other>& other) : memory(other.memory) {}

  Value* allocate(std::size_t count) {
    CHECK(!memory->used);
    CHECK(count * sizeof(Value) <= sizeof memory->bytes);
    memory->used = true;
    return reinterpret_cast<Value*>(memory->bytes);
  }
  void deallocate(Value*, std::size_t) { memory->used = false; }
  friend bool operator==(const WaitAllocator&, const WaitAllocator&) = default;
};

}  // namespace

class LoopWait::State {
 public:
  explicit State(int descriptor) : context_(1), descriptor_(context_, descriptor) {}
  ~State() { descriptor_.release(); }

  void wait(Duration limit) {
    arm();
    ++waits;
    context_.run_one_for(std::chrono::nanoseconds(limit.nanoseconds));
  }

  void poll() {
    arm();
    ++waits;
    context_.poll();
  }

  std::uint64_t waits = 0;
  std::uint64_t changes = 0;

 private:
  void arm() {
    if (armed_) return;
    armed_ = true;
    ++changes;
    context_.restart();
    descriptor_.async_wait(
        asio::posix::stream_descriptor::wait_read,
        asio::bind_allocator(WaitAllocator<std::byte>(&memory_),
                             [this](const boost::system::error_code&) { armed_ = false; }));
  }

  WaitMemory memory_;
  bool armed_ = false;
  asio::io_context context_;
  asio::posix::stream_descriptor descriptor_;
};

LoopWait::LoopWait(int descriptor) : state_(std::make_unique<State>(descriptor)) {}
LoopWait::~LoopWait() = default;

void LoopWait::wait(Duration limit) {
  state_->wait(limit);
}
void LoopWait::poll() {
  state_->poll();
}
std::uint64_t LoopWait::waits() const {
  return state_->waits;
}
std::uint64_t LoopWait::changes() const {
  return state_->changes;
}

}  // namespace tailwater::shell
