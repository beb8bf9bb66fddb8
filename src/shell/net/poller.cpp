#include "shell/net/poller.hpp"

#include <errno.h>

#include <system_error>
#include <utility>

namespace tailwater::shell {

namespace {
constexpr std::size_t kEventsMax = 256;
}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), events_(kEventsMax) {
  if (!epoll_) throw std::system_error(errno, std::system_category(), "cannot create an epoll descriptor");
}

bool Poller::control(int operation, int descriptor, std::uint32_t events, std::uint64_t key) {
  ++changes_;
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  return ::epoll_ctl(epoll_.get(), operation, descriptor, &event) == 0;
}

bool Poller::add(int descriptor, std::uint32_t events, std::uint64_t key) {
  return control(EPOLL_CTL_ADD, descriptor, events, key);
}

bool Poller::change(int descriptor, std::uint32_t events, std::uint64_t key) {
  return control(EPOLL_CTL_MOD, descriptor, events, key);
}

void Poller::remove(int descriptor) {
  control(EPOLL_CTL_DEL, descriptor, 0, 0);
}

std::span<const epoll_event> Poller::wait(int timeout_ms) {
  const std::size_t seen = std::exchange(seen_, 0);
  return std::span(events_).first(seen > 0 ? seen : ask(timeout_ms));
}

bool Poller::look() {
  if (seen_ == 0) seen_ = ask(0);
  return seen_ > 0;
}

std::size_t Poller::ask(int timeout_ms) {
  ++waits_;
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

}  // namespace tailwater::shell
