#include "programs/load/lanes.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include "programs/load/requests.hpp"

namespace tailwater::load {

namespace {

constexpr double kPatience_s = 30;
constexpr double kDrain_s = 5;  // for requests that were due, and for which no connection was free
constexpr std::int64_t kAgainAfter_ns = 1'000'000;
// One who reads a lot must not hold up the others of this thread, or it would be the client that is measured.
constexpr std::size_t kReceivedAtOnce = std::size_t{256} << 10;

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::int64_t ns_of(double seconds) {
  return static_cast<std::int64_t>(seconds * 1e9);
}

}  // namespace

Lanes::Lanes(const Plan& plan, const Journey* journey)
    : plan_(plan), journey_(journey), poller_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (plan_.megabytes_per_s > 0) {
    const double bytes = double{1} * plan_.batches * plan_.records * plan_.record_bytes;
    interval_ns_ = ns_of(bytes / (plan_.megabytes_per_s * 1e6));
  }
}

void Lanes::add(std::unique_ptr<Script> script, bool reads) {
  if (!reads && writers_ < lanes_.size()) throw std::logic_error("who writes comes before who reads");
  const auto number = static_cast<std::uint32_t>(lanes_.size());
  Lane& lane = lanes_.emplace_back();
  lane.socket = connect_to(plan_);
  ::fcntl(lane.socket, F_SETFL, O_NONBLOCK);
  lane.script = std::move(script);
  lane.in.resize(lane.script->answer_bytes());
  lane.reads = reads;
  if (!reads) {
    ++writers_;
    lane.in_flight = plan_.in_flight;
    lane.requests_left = plan_.requests_of_each.value_or(UINT64_MAX);
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = number;
  ::epoll_ctl(poller_, EPOLL_CTL_ADD, lane.socket, &event);
}

Lanes::~Lanes() {
  for (const Lane& lane : lanes_) {
    if (lane.socket >= 0) ::close(lane.socket);
  }
  ::close(poller_);
}

void Lanes::start() {
  const std::int64_t now = now_ns();
  next_ns_ = now;
  for (Lane& lane : lanes_) refill(lane, now);
}

void Lanes::begin_measuring() {
  measuring_ = true;
  begin_ns_ = now_ns();
}

void Lanes::end_measuring() {
  measuring_ = false;
  end_ns_ = now_ns();
  outcome_.seconds = static_cast<double>(end_ns_ - begin_ns_) / 1e9;
}

void Lanes::finish() {
  stopping_ = true;
  heard_ns_ = now_ns();
  const std::int64_t give_up_ns = heard_ns_ + ns_of(kDrain_s);
  while (!is_over()) {
    if (now_ns() > give_up_ns) give_up_overdue(now_ns());
    if (now_ns() > heard_ns_ + ns_of(kPatience_s))
      throw std::runtime_error("the last requests are not answered, or did not come back");
    loop(0.01);
  }
}

// Whoever reads may be waiting for what will not come.
bool Lanes::is_over() const {
  if (!overdue_.empty()) return false;
  for (std::size_t at = 0; at < writers_; ++at) {
    const Lane& lane = lanes_[at];
    if (!lane.intended.empty()) return false;
    if (plan_.requests_of_each && lane.requests_left > 0) return false;
  }
  return journey_ == nullptr || journey_->is_over();
}

void Lanes::loop(double seconds) {
  const std::int64_t end = now_ns() + ns_of(seconds);
  std::array<epoll_event, 128> events{};
  for (;;) {
    std::int64_t now = now_ns();
    if (now >= end) return;
    if (interval_ns_ > 0 && writers_ > 0) give_due(now);
    send_again(now);
    std::int64_t next = interval_ns_ > 0 && !stopping_ ? std::min(next_ns_, end) : end;
    if (!again_.empty()) next = std::min(next, again_.front().first);
    const std::int64_t wait_ns = std::max<std::int64_t>(next - now_ns(), 0);
    const timespec wait{wait_ns / 1'000'000'000, wait_ns % 1'000'000'000};
    const int count = ::epoll_pwait2(poller_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
    for (int at = 0; at < count; ++at) {
      Lane& lane = lanes_[events[static_cast<std::size_t>(at)].data.u32];
      const std::uint32_t what = events[static_cast<std::size_t>(at)].events;
      if ((what & EPOLLOUT) != 0 && lane.wants_out) push(lane);
      if ((what & ~std::uint32_t{EPOLLOUT}) != 0) read(lane);
      refill(lane, now_ns());
    }
  }
}

// Requests whose time has come go to the lanes in turn; those for which no lane is free wait, and are late.
void Lanes::give_due(std::int64_t now) {
  for (; !stopping_ && next_ns_ <= now; next_ns_ += interval_ns_) overdue_.push_back(next_ns_);
  for (std::size_t looks = 0; !overdue_.empty() && looks < writers_; ++looks) {
    Lane& lane = lanes_[next_lane_];
    next_lane_ = (next_lane_ + 1) % writers_;
    if (!is_free(lane)) continue;
    submit(lane, overdue_.front());
    overdue_.pop_front();
    looks = 0;
  }
}

// They took so long at least.
void Lanes::give_up_overdue(std::int64_t now) {
  Totals& totals = journey_ == nullptr ? outcome_.written : outcome_.read;
  for (const std::int64_t intended : overdue_) {
    if (counts(intended)) totals.latencies.add(now - intended);
  }
  overdue_.clear();
}

bool Lanes::counts(std::int64_t intended) const {
  return interval_ns_ > 0 ? begin_ns_ > 0 && intended >= begin_ns_ && intended <= end_ns_ : measuring_;
}

bool Lanes::is_free(const Lane& lane) const {
  return !lane.wants_out && lane.intended.size() < lane.in_flight && lane.requests_left > 0;
}

void Lanes::refill(Lane& lane, std::int64_t now) {
  // With a number of requests, or with a journey, the end is when all of it is done.
  const bool goes_on = lane.reads ? !stopping_ || journey_ != nullptr
                                  : interval_ns_ == 0 && (!stopping_ || plan_.requests_of_each);
  while (goes_on && is_free(lane)) submit(lane, now);
}

void Lanes::submit(Lane& lane, std::int64_t intended) {
  lane.intended.push_back(intended);
  lane.script->begin(intended);
  --lane.requests_left;
  send(lane);
}

void Lanes::send(Lane& lane) {
  lane.request = lane.script->next();
  store_big(lane.request.data() + kCorrelationAt, static_cast<std::uint32_t>(++lane.correlation));
  push(lane);
}

void Lanes::send_again(std::int64_t now) {
  for (; !again_.empty() && again_.front().first <= now; again_.pop_front()) send(*again_.front().second);
}

// Sends what is left of the request that is going out.
void Lanes::push(Lane& lane) {
  const Bytes rest = Bytes(lane.request).subspan(lane.sent);
  const ssize_t sent = ::send(lane.socket, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN) throw std::runtime_error("the broker closed a connection");
  lane.sent += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
  const bool blocked = lane.sent < lane.request.size();
  if (!blocked) lane.sent = 0;
  if (blocked != lane.wants_out) {
    epoll_event event{};
    event.events = EPOLLIN | (blocked ? EPOLLOUT : 0U);
    event.data.u32 = static_cast<std::uint32_t>(&lane - lanes_.data());
    ::epoll_ctl(poller_, EPOLL_CTL_MOD, lane.socket, &event);
    lane.wants_out = blocked;
  }
}

void Lanes::read(Lane& lane) {
  const std::size_t most = std::min(lane.in.size() - lane.in_size, kReceivedAtOnce);
  const ssize_t got = ::recv(lane.socket, lane.in.data() + lane.in_size, most, MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN)) throw std::runtime_error("the broker closed a connection");
  if (got < 0) return;
  lane.in_size += static_cast<std::size_t>(got);
  const std::int64_t now = now_ns();
  heard_ns_ = now;
  std::size_t at = 0;
  while (lane.in_size - at >= 4) {
    const auto size = load_big<std::uint32_t>(lane.in.data() + at);
    if (size + 4 > lane.in.size()) throw std::runtime_error("an answer that is too long");
    if (lane.in_size - at - 4 < size) break;
    answered(lane, Bytes(lane.in).subspan(at + 4, size), now);
    at += 4 + size;
  }
  std::memmove(lane.in.data(), lane.in.data() + at, lane.in_size - at);
  lane.in_size -= at;
}

void Lanes::answered(Lane& lane, Bytes answer, std::int64_t now) {
  if (lane.intended.empty()) throw std::runtime_error("an answer to nothing");
  switch (lane.script->hear(answer, now)) {
    case Script::Heard::wrong:
      throw std::runtime_error(lane.script->problem());
    case Script::Heard::more:
      return send(lane);
    case Script::Heard::again:
      again_.emplace_back(now + kAgainAfter_ns, &lane);
      return;
    case Script::Heard::done:
      break;
  }
  const std::int64_t intended = lane.intended.front();
  lane.intended.pop_front();
  Totals& totals = lane.reads ? outcome_.read : outcome_.written;
  totals.records_of_run += lane.script->records();
  if (measuring_) {
    ++totals.units;
    totals.records += lane.script->records();
  }
  if (lane.reads && journey_ != nullptr) {
    for (const std::int64_t journey_ns : lane.script->journeys_ns()) {
      if (counts(now - journey_ns)) totals.latencies.add(journey_ns);
    }
  } else if (lane.reads ? measuring_ : counts(intended)) {
    totals.latencies.add(now - intended);
  }
}

}  // namespace tailwater::load
