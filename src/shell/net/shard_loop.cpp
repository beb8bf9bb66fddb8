#include "shell/net/shard_loop.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "shell/disk/threads.hpp"
#include "shell/net/clock.hpp"

namespace tailwater::shell {

namespace {

// Keys of the poller that no connection has. The first one is of what only has to end a sleep: it is looked
// at in every turn.
constexpr std::uint64_t kWakeKey = UINT64_MAX;
constexpr std::uint64_t kDiskKey = UINT64_MAX - 1;
// The loop turns at least this often, so that a watcher can tell a quiet shard from a stuck one.
constexpr Duration kQuietTurn = Duration::from_ms(500);
constexpr std::int64_t kMillisecond = 1'000'000;
// Turns in a row that answer each other (a send frees memory, that lets a connection be read) before sockets
// are looked at again.
constexpr int kTurnsInARow = 4;
// From so many bytes on that sockets brought at once it is worth a turn to have the disk's work go on before.
constexpr std::uint64_t kMuch = 256 << 10;

node::ShardOptions with_pages(node::ShardOptions options, Pages& pages) {
  options.pages = &pages;
  return options;
}

LogSeverity severity_of(node::LogLevel level) {
  switch (level) {
    case node::LogLevel::debug:
      return LogSeverity::debug;
    case node::LogLevel::info:
      return LogSeverity::info;
    case node::LogLevel::warning:
      return LogSeverity::warning;
    case node::LogLevel::error:
      return LogSeverity::error;
  }
  return LogSeverity::error;
}

}  // namespace

// The shard as Connections sees it.
class ShardLoop::Machine final : public ConnectionMachine {
 public:
  explicit Machine(node::Shard& shard) : shard_(shard) {}
  void connected(ConnectionId connection, ListenerId listener, node::Peer peer, Now now) override {
    shard_.connected(connection, listener, std::move(peer), now);
  }
  MutableBytes receive_space(ConnectionId connection) override { return shard_.receive_space(connection); }
  void received(ConnectionId connection, std::size_t bytes, Now now) override {
    shard_.received(connection, bytes, now);
  }
  std::size_t gather(ConnectionId connection, std::span<Bytes> pieces) override {
    return shard_.gather(connection, pieces);
  }
  void sent(ConnectionId connection, std::size_t bytes, Now now) override {
    shard_.sent(connection, bytes, now);
  }
  void disconnected(ConnectionId connection) override { shard_.disconnected(connection); }

 private:
  node::Shard& shard_;
};

ShardLoop::ShardLoop(ShardLoopOptions options, cluster::ImageHandle image, ShardLoopPorts ports, Log& log)
    : id_(options.shard.shard),
      ports_(std::move(ports)),
      log_(log),
      shard_(with_pages(std::move(options.shard), pages_), std::move(image)),
      disk_(std::move(options.disk)),
      machine_(std::make_unique<Machine>(shard_)),
      connections_(
          id_, poller_, *machine_, options.connections,
          [this](const IpKey& ip) { ports_.limits->release(ip); },
          [](ListenerId, Descriptor socket) { return make_plain_stream(std::move(socket)); }),
      idle_max_ns_(options.connections.idle_max.nanoseconds) {
  poller_.add(inbox_.descriptor(), EPOLLIN | EPOLLET, kWakeKey);
  poller_.add(disk_.wake_fd(), EPOLLIN | EPOLLET, kDiskKey);
  if (disk_.ring_fd() >= 0) poller_.add(disk_.ring_fd(), EPOLLIN, kWakeKey);
}

ShardLoop::~ShardLoop() {
  if (!thread_.joinable()) return;
  alone_.store(true);
  request_stop();
  thread_.join();
}

void ShardLoop::start() {
  CHECK(peers_.size() > id_.value);
  outgoing_.resize(peers_.size());
  thread_ = start_thread(fmt::format("shard-{}", id_.value), [this] { run(); });
}

void ShardLoop::adopt(AcceptedSocket socket) {
  inbox_.put([&](Inbox::Contents& contents) { contents.sockets.push_back(std::move(socket)); });
}

void ShardLoop::post(ShardTask task) {
  inbox_.put([&](Inbox::Contents& contents) { contents.tasks.push_back(std::move(task)); });
}

void ShardLoop::request_stop() {
  stop_requested_.store(true);
  post([](node::Shard&, Now) {});
}

void ShardLoop::abandon() {
  abandoned_.store(true);
  post([](node::Shard&, Now) {});
}

void ShardLoop::join() {
  if (thread_.joinable()) thread_.join();
}

std::string ShardLoop::failure() const {
  const std::lock_guard lock(failure_mutex_);
  return failure_;
}

ShardLoopStats ShardLoop::stats() const {
  return {last_turn_ns_.load(), turns_.load(), busy_ns_.load()};
}

SystemCalls ShardLoop::system_calls() const {
  const ConnectionCounters& sockets = connections_.counters();
  const EngineCounters disk = disk_.counters().engine;
  return {.epoll_wait = poller_.waits(),
          .epoll_ctl = poller_.changes(),
          .recv = sockets.receives,
          .sendmsg = sockets.sends,
          .eventfd = inbox_.wakes(),
          .io_uring_enter = disk.ring_calls,
          .disk_threads = disk.thread_calls};
}

Duration ShardLoop::since_turn() const {
  const Instant last{last_turn_ns_.load()};
  if (last.nanoseconds == 0 || phase_.load() == ShardPhase::stopped) return {};
  return std::max(read_clocks().monotonic - last, Duration{});
}

void ShardLoop::run() {
  Now now = read_clocks();
  awake_since_ns_ = now.monotonic.nanoseconds;
  shard_.start(now);
  set_phase(ShardPhase::recovering);
  for (;;) {
    turn(now);
    // Large answers last: small ones, and what goes to the disk, do not wait for them.
    unsettled_ |= connections_.send_waiting(now);
    observe(now);
    if (all_stopped() || abandoned_.load()) break;
    const auto ready = wait();
    now = read_clocks();
    awake_since_ns_ = now.monotonic.nanoseconds;
    gather(ready, now);
  }
  if (phase_.load() == ShardPhase::stopped) {
    take_inbox(now);  // what others had written for requests that came in here
    turn(now);
    connections_.send_rest(now);
  }
  std::vector<DiskDone> rest;
  disk_.drain(rest);
}

// Who has stopped goes on for the others' sake: they may still have the last word of a request that came in here.
bool ShardLoop::all_stopped() const {
  if (phase_.load() != ShardPhase::stopped) return false;
  return alone_.load() || std::ranges::all_of(peers_, [](const ShardLoop* peer) {
           const ShardPhase phase = peer->phase_.load();
           return phase == ShardPhase::stopped || phase == ShardPhase::made;
         });
}

// What is ready already ends the sleep at once, so whether it is need not be asked before.
std::span<const epoll_event> ShardLoop::wait() {
  const Instant now = read_clocks().monotonic;
  const auto busy_ns = static_cast<std::uint64_t>(now.nanoseconds - awake_since_ns_);
  busy_ns_.fetch_add(busy_ns, std::memory_order_relaxed);
  return poller_.wait(unsettled_ || connections_.has_work() ? 0 : sleep_ms(now));
}

// Rounded up, as the poller counts in milliseconds: a deadline is over when the sleep is.
int ShardLoop::sleep_ms(Instant now) const {
  const Instant wake_at = std::min(wake_at_, connections_.idle_deadline());
  if (wake_at <= now) return 0;
  const Duration limit = wake_at >= now + kQuietTurn ? kQuietTurn : wake_at - now;
  return static_cast<int>((limit.nanoseconds + kMillisecond - 1) / kMillisecond);
}

void ShardLoop::gather(std::span<const epoll_event> ready, Now now) {
  bool disk_told = false;
  bool somebody_ends = false;
  for (const epoll_event& event : ready) {
    if (event.data.u64 == kDiskKey) {
      disk_told = true;
    } else if (event.data.u64 != kWakeKey) {
      connections_.on_event(event.data.u64, event.events);
      somebody_ends = somebody_ends || (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    }
  }
  take_inbox(now);
  if (disk_told || disk_.ring_has_ended()) {
    disk_.poll(disk_done_);
    for (DiskDone& done : disk_done_) shard_.disk_done(std::move(done), now);
    // What may follow on the disk goes there before the sockets are read, if that is likely to take a while. What
    // somebody sent before he went is read before he is answered.
    if (!disk_done_.empty() && much_came_ && !somebody_ends) turn(now);
    disk_done_.clear();
  }
  const std::uint64_t before = connections_.counters().bytes_received;
  connections_.gather(now);
  much_came_ = connections_.counters().bytes_received - before >= kMuch;
  connections_.set_idle_max(Duration::from_ns(idle_max_ns_.load(std::memory_order_relaxed)));
  connections_.close_idle(now);
}

void ShardLoop::take_inbox(Now now) {
  if (!inbox_.take(taken_)) return;
  for (node::Envelope& envelope : taken_.mail) shard_.deliver(std::move(envelope), now);
  for (AcceptedSocket& socket : taken_.sockets) connections_.adopt(std::move(socket), now);
  for (ShardTask& task : taken_.tasks) task(shard_, now);
  taken_.mail.clear();
  taken_.sockets.clear();
  taken_.tasks.clear();
  if (stop_requested_.load() && !stopping_) {
    stopping_ = true;
    shard_.stop(now);
  }
}

void ShardLoop::turn(Now now) {
  for (int count = 0; count < kTurnsInARow; ++count) {
    shard_.turn(now, effects_);
    wake_at_ = effects_.wake_at;
    unsettled_ = carry_out(now);
    effects_.clear();
    if (!unsettled_) return;
  }
}

// True: the shard was told something that may need a turn.
bool ShardLoop::carry_out(Now now) {
  bool told = false;
  if (!effects_.disk.empty()) {
    disk_.submit(std::move(effects_.disk));
    effects_.disk.clear();
  }
  // Before the answers: whoever has one finds that it is so.
  if (effects_.config && ports_.configured) ports_.configured(*effects_.config);
  for (const ConnectionId connection : effects_.send) told |= connections_.flush(connection, now);
  if (!effects_.mail.empty()) send_mail();
  if (!effects_.store.empty() || !effects_.snapshots.empty()) {
    ports_.store(std::move(effects_.store), std::move(effects_.snapshots));
    effects_.store.clear();
    effects_.snapshots.clear();
  }
  for (const ConnectionId connection : effects_.resume) connections_.resume(connection);
  for (const ConnectionId connection : effects_.close) connections_.close(connection);
  if (!effects_.log.empty()) write_log(now);
  told |= connections_.settle();
  return told;
}

void ShardLoop::send_mail() {
  for (node::Envelope& envelope : effects_.mail) {
    CHECK(envelope.to.value < outgoing_.size());
    outgoing_[envelope.to.value].push_back(std::move(envelope));
  }
  effects_.mail.clear();
  for (std::size_t peer = 0; peer < outgoing_.size(); ++peer) {
    std::vector<node::Envelope>& mail = outgoing_[peer];
    if (mail.empty()) continue;
    peers_[peer]->inbox_.put([&](Inbox::Contents& contents) {
      std::move(mail.begin(), mail.end(), std::back_inserter(contents.mail));
    });
    mail.clear();
  }
}

// A peer that provokes a line with each of its attempts must not fill the log: what is beyond the allowance
// is counted.
void ShardLoop::write_log(Now now) {
  log_allowance_.refill(now.monotonic);
  const std::string component = peers_.size() == 1 ? "broker" : fmt::format("shard-{}", id_.value);
  for (const node::LogLine& line : effects_.log) {
    const LogSeverity severity = severity_of(line.level);
    if (!log_.enabled(severity)) continue;
    if (severity == LogSeverity::error || log_allowance_.take()) {
      log_.write(severity, component, line.text);
    }
  }
  if (const std::uint64_t left_out = log_allowance_.take_refused()) {
    log_.warning(component, "lines were left out: too many at once",
                 {{"count", fmt::format("{}", left_out)}});
  }
}

// Publishes what other threads want to know of this shard.
void ShardLoop::observe(Now now) {
  last_turn_ns_.store(now.monotonic.nanoseconds, std::memory_order_relaxed);
  turns_.fetch_add(1, std::memory_order_relaxed);
  const ShardPhase phase = phase_.load(std::memory_order_relaxed);
  if (stopping_ && shard_.stopped()) {
    if (phase == ShardPhase::stopped) return;
    set_phase(ShardPhase::stopped);
    if (alone_.load()) return;
    for (ShardLoop* peer : peers_) peer->post([](node::Shard&, Now) {});
  } else if (phase == ShardPhase::recovering) {
    if (!shard_.failure().empty()) {
      const std::lock_guard lock(failure_mutex_);
      failure_ = shard_.failure();
    }
    if (!shard_.failure().empty()) {
      set_phase(ShardPhase::failed);
    } else if (shard_.ready()) {
      set_phase(ShardPhase::ready);
    }
  }
}

void ShardLoop::set_phase(ShardPhase phase) {
  phase_.store(phase);
  if (ports_.phase_changed) ports_.phase_changed();
}

}  // namespace tailwater::shell
