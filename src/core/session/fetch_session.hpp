// Fetch sessions (KIP-227): a consumer names its partitions once and afterwards only what changed, and the
// broker answers only partitions with news.
//
//   id 0, epoch -1   no session: full request, full answer        id 0, epoch 0    full, may open a session
//   id n, epoch > 0  incremental request of session n             id n, epoch -1   closes n, full answer
//   id n, epoch 0    closes n and opens a new one
//
// Sessions belong to the shard of the connection that opened them; an id that is not known here is answered
// with FETCH_SESSION_ID_NOT_FOUND, upon which clients start over.
//
// A session keeps two lists, so that a request costs what changed and not what is subscribed:
//
//            nothing to tell, and its partition is watched
//     ready ------------------------------------------------> quiet
//           <------------------------------------------------
//              the partition changed, or the client named it
//
// A request without a session has a nameless one (id 0) for as long as it is served.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "base/time.hpp"
#include "base/uuid.hpp"
#include "wire/error_code.hpp"

namespace tailwater::session {

// A partition that is fetched: what the client asked last, and what it was answered last.
struct FetchTarget {
  std::string topic;  // empty in requests that carry ids only, until the node resolves it
  Uuid topic_id;
  std::int32_t partition = 0;

  std::int64_t fetch_offset = 0;
  std::int64_t log_start_offset = -1;
  std::int32_t max_bytes = 0;
  std::int32_t current_leader_epoch = -1;
  std::int32_t last_fetched_epoch = -1;

  std::int64_t answered_high_watermark = -1;
  std::int64_t answered_log_start = -1;
  bool answered = false;

  std::uint32_t number = 0;  // in its session: what those who watch its partition call it
  bool watched = false;      // somebody watches its partition for it
  bool quiet = false;        // in the list of quiet ones
};

// The key of a target: by id where the request carries ids, else by name.
struct TargetKey {
  Uuid topic_id;
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const TargetKey&, const TargetKey&) = default;
};

TargetKey key_of(const FetchTarget& target, bool by_id);

class FetchSession {
 public:
  using Targets = std::list<FetchTarget>;

  FetchSession(std::uint64_t number, std::int32_t id, bool by_id) : number_(number), id_(id), by_id_(by_id) {}

  std::uint64_t number() const { return number_; }  // never given twice
  std::int32_t id() const { return id_; }           // the client's name for it
  bool by_id() const { return by_id_; }
  std::size_t size() const { return ready_.size() + quiet_.size(); }
  // The request that is being served.
  std::optional<std::uint64_t> request() const { return request_; }

  // Targets to look at, in the order in which they are served.
  Targets& ready() { return ready_; }
  const Targets& quiet() const { return quiet_; }

  // Adds or updates; what was answered stays known. The target is ready.
  void put(FetchTarget&& target);
  // What was forgotten, if it was known.
  std::optional<FetchTarget> forget(const TargetKey& key);
  // After an answer that named the ready target: it is served last next time, so that no partition starves.
  void move_to_end(Targets::iterator target) { ready_.splice(ready_.end(), ready_, target); }
  // There is nothing to tell of the ready target until it changes.
  void rest(Targets::iterator target);
  // What those who watch a target's partition say; news of forgotten targets is ignored.
  void watched(std::uint32_t target);
  void changed(std::uint32_t target);

 private:
  friend class FetchSessions;
  void add(FetchTarget&& target);
  void make_ready(Targets::iterator target);

  std::uint64_t number_;
  std::int32_t id_;
  bool by_id_;
  std::int32_t next_epoch_ = 1;
  Instant opened_;
  Instant last_used_;
  std::optional<std::uint64_t> request_;
  bool listed_ = false;  // the client may ask for it again
  Targets ready_;
  Targets quiet_;
  std::map<TargetKey, Targets::iterator> index_;  // empty in a nameless session: nobody comes back to it
  // A target's number is its slot, and how often the slot was given: late news of a forgotten target must not
  // be taken for news of the next one.
  struct Slot {
    std::optional<Targets::iterator> target;
    std::uint8_t given = 0;
  };
  std::optional<Targets::iterator> find(std::uint32_t number);
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
};

// A fetch request's part that concerns sessions.
struct FetchSessionRequest {
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;
  bool by_id = false;
  std::size_t partitions = 0;  // that it names
  std::uint64_t request = 0;   // the caller's own name for it
};

class FetchSessions {
 public:
  FetchSessions(std::size_t sessions_max, std::uint64_t seed) : sessions_max_(sessions_max), random_(seed) {}

  // The session that serves a request and whether the answer is incremental, or the error that is the whole
  // answer. The caller puts the request's targets and forgets its forgotten ones, and calls done() when the
  // request is answered.
  struct Begun {
    wire::ErrorCode error{};
    FetchSession* session = nullptr;
    bool incremental = false;
  };
  Begun begin(const FetchSessionRequest& request, Instant now);
  void done(FetchSession& session);
  // The client cannot ask for this session again.
  void close(FetchSession& session);

  // By number; null if it has ended.
  FetchSession* find(std::uint64_t number);
  // Sessions that are over, for those who keep something about their targets.
  std::vector<std::unique_ptr<FetchSession>> take_ended() { return std::exchange(ended_, {}); }

  // Of those that clients may ask for again.
  std::size_t size() const { return by_id_.size(); }

 private:
  FetchSession& make(std::int32_t id, const FetchSessionRequest& request, Instant now);
  FetchSession& open(const FetchSessionRequest& request, Instant now);
  bool make_room(std::size_t partitions, Instant now);
  void end_if_unused(FetchSession& session);

  std::size_t sessions_max_;
  Prng random_;
  std::uint64_t next_number_ = 1;
  std::map<std::uint64_t, std::unique_ptr<FetchSession>> sessions_;
  std::map<std::int32_t, FetchSession*> by_id_;
  std::vector<std::unique_ptr<FetchSession>> ended_;
};

}  // namespace tailwater::session
