// For this room's tests: a coordinator with a clock, a log, partitions that take markers, and requests in few
// words. GUARANTEES: every ticket is answered at most once (a second answer fails the test); time moves only
// by advance_ms(), which ticks exactly when the coordinator asked to be woken. Must not be used outside of
// tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/txn/coordinator.hpp"

namespace tailwater::txn {

class Harness {
 public:
  explicit Harness(const Options& chosen = {}) : options(chosen) { start(); }

  // ---- requests; each gives its ticket
  Ticket init(const std::string& id, std::optional<ProducerIdentity> expected = {},
              std::int32_t timeout_ms = 60'000) {
    const Ticket ticket = next();
    coordinator->init(ticket, {id, timeout_ms, expected}, now, out);
    return done(ticket);
  }
  Ticket add(const std::string& id, ProducerIdentity producer, std::vector<TopicPartition> partitions,
             ClientVersion version = ClientVersion::plain) {
    const Ticket ticket = next();
    coordinator->add(ticket, {id, producer, std::move(partitions), version}, now, out);
    return done(ticket);
  }
  // As the leader of partitions that is about to append.
  Ticket add_behind(const std::string& id, ProducerIdentity producer, TopicPartition partition,
                    ClientVersion version = ClientVersion::bumping) {
    return add_behind(id, producer, std::vector{std::move(partition)}, version);
  }
  Ticket add_behind(const std::string& id, ProducerIdentity producer, std::vector<TopicPartition> partitions,
                    ClientVersion version = ClientVersion::bumping) {
    const Ticket ticket = next();
    coordinator->add(ticket, {id, producer, std::move(partitions), version, true}, now, out);
    return done(ticket);
  }
  Ticket verify(const std::string& id, ProducerIdentity producer, std::vector<TopicPartition> partitions) {
    const Ticket ticket = next();
    coordinator->verify(ticket, {id, producer, std::move(partitions)}, now, out);
    return done(ticket);
  }
  Ticket end(const std::string& id, ProducerIdentity producer, Outcome outcome,
             ClientVersion version = ClientVersion::plain) {
    const Ticket ticket = next();
    coordinator->end(ticket, {id, producer, outcome, version}, now, out);
    return done(ticket);
  }

  const Answer* answer(Ticket ticket) const {
    const auto found = answers.find(ticket);
    return found == answers.end() ? nullptr : &found->second;
  }
  // What was answered; unknown_server_error while nothing was.
  ErrorCode error(Ticket ticket) const {
    const Answer* given = answer(ticket);
    return given == nullptr ? ErrorCode::unknown_server_error : given->error;
  }
  ProducerIdentity producer(Ticket ticket) const {
    const Answer* given = answer(ticket);
    return given == nullptr ? ProducerIdentity{} : given->producer;
  }

  bool may_be_open(const ProducerIdentity& producer, const TopicPartition& partition) const {
    const OpenTransaction asked{producer, partition};
    std::vector<bool> known(1);
    coordinator->find_open({&asked, 1}, known);
    return known[0];
  }

  // ---- the world
  void write(ErrorCode outcome = ErrorCode::none) {
    ASSERT_FALSE(appends.empty());
    Append append = std::move(appends.front());
    appends.pop_front();
    if (outcome == ErrorCode::none) log.push_back(append.batch);
    coordinator->persisted(append.token, outcome, now, out);
    if (outcome != ErrorCode::none) {  // those behind go with it
      for (const Append& each : std::exchange(appends, {})) {
        coordinator->persisted(each.token, outcome, now, out);
      }
    }
    drain();
  }
  void mark(ErrorCode outcome = ErrorCode::none) {
    ASSERT_FALSE(markers.empty());
    const Marker marker = markers.front();
    markers.pop_front();
    if (outcome == ErrorCode::none) marked.push_back(marker);
    coordinator->marked(marker.token, outcome, now, out);
    drain();
  }
  void give_id() {
    ASSERT_TRUE(std::exchange(id_wanted, false));
    coordinator->give_producer_id(ProducerId{next_id++}, now, out);
    drain();
  }
  void advance_ms(std::int64_t ms) {
    const Instant target = now.monotonic + Duration::from_ms(ms);
    while (wake_at && *wake_at <= target) {
      move_to(std::max(*wake_at, now.monotonic));
      wake_at.reset();
      coordinator->tick(now, out);
      drain();
    }
    move_to(target);
  }
  // The process dies and comes back: what was not written is gone, nobody is answered.
  void restart() {
    appends.clear();
    markers.clear();
    id_wanted = false;
    wake_at.reset();
    start();
  }

  Options options;
  Now now{Instant{1'000'000'000}, WallTime{1'700'000'000'000}};
  TxnEffects out;
  std::unique_ptr<TxnCoordinator> coordinator;
  std::map<Ticket, Answer> answers;
  std::deque<Append> appends;  // not yet written
  std::vector<Buffer> log;
  std::deque<Marker> markers;  // not yet written
  std::vector<Marker> marked;
  std::vector<std::string> notes;
  std::optional<Instant> wake_at;
  bool id_wanted = false;
  std::int64_t next_id = 100;
  bool writes_at_once = true;
  bool marks_at_once = true;
  bool ids_at_once = true;
  std::int32_t epoch = 0;
  // Partitions whose logs keep nothing that the coordinator's log loses: appends are in it at once.
  std::function<bool(const TopicPartition&)> goes_before;
  // Hear what is wished, before it is done.
  std::function<void(const Reply&)> on_reply;
  std::function<void(const Append&)> on_append;
  std::function<void(const Marker&)> on_marker;

 private:
  Ticket next() { return Ticket{next_ticket_++}; }
  Ticket done(Ticket ticket) {
    drain();
    return ticket;
  }
  void start() {
    coordinator = std::make_unique<TxnCoordinator>(options);
    for (const Buffer& batch : log) ASSERT_TRUE(coordinator->replay(batch).has_value());
    coordinator->loaded(epoch, now, out);
    drain();
  }
  void move_to(Instant target) {
    now.wall.ms += (target - now.monotonic).to_ms();
    now.monotonic = target;
  }
  void drain() {
    while (true) {
      TxnEffects wished;
      std::swap(wished, out);
      if (wished.wake_at) wake_at = wished.wake_at;
      for (Reply& reply : wished.replies) {
        if (on_reply) on_reply(reply);
        EXPECT_TRUE(answers.emplace(reply.ticket, std::move(reply.answer)).second) << "answered twice";
      }
      for (Append& append : wished.appends) {
        if (on_append) on_append(append);
        appends.push_back(std::move(append));
        if (goes_before) coordinator->placed(appends.back().token, goes_before, now, out);
      }
      for (Marker& marker : wished.markers) {
        if (on_marker) on_marker(marker);
        markers.push_back(std::move(marker));
      }
      for (std::string& note : wished.notes) notes.push_back(std::move(note));
      id_wanted = id_wanted || wished.producer_id_wanted;
      if (!out.empty()) continue;
      if (id_wanted && ids_at_once) return give_id();
      if (!appends.empty() && writes_at_once) return write();
      if (!markers.empty() && marks_at_once) return mark();
      return;
    }
  }

  std::uint64_t next_ticket_ = 1;
};

}  // namespace tailwater::txn
