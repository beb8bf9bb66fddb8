// Fetch sessions (KIP-227): a consumer names its partitions once and afterwards only what changed, and the
// broker answers only partitions with news.
//
//   id 0, epoch -1   no session: full request, full answer        id 0, epoch 0    full, may open a session
//   id n, epoch > 0  incremental request of session n             id n, epoch -1   closes n, full answer
//   id n, epoch 0    closes n and opens a new one
//
// Sessions belong to the shard of the connection that opened them; an id that is not known here is answered
// with FETCH_SESSION_ID_NOT_FOUND, upon which clients start over.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
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

  FetchSession(std::int32_t id, bool by_id) : id_(id), by_id_(by_id) {}

  std::int32_t id() const { return id_; }
  bool by_id() const { return by_id_; }
  Targets& targets() { return targets_; }

  // Adds or updates; what was answered stays known.
  void put(FetchTarget&& target);
  void forget(const TargetKey& key);
  // After an answer that named the target: it is served last next time, so that no partition starves.
  void move_to_end(Targets::iterator target) { targets_.splice(targets_.end(), targets_, target); }

 private:
  friend class FetchSessions;
  std::int32_t id_;
  bool by_id_;
  std::int32_t next_epoch_ = 1;
  Instant last_used_;
  std::uint32_t users_ = 0;  // requests being served
  Targets targets_;
  std::map<TargetKey, Targets::iterator> index_;
};

// A fetch request's part that concerns sessions.
struct FetchSessionRequest {
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;
  bool by_id = false;
};

class FetchSessions {
 public:
  FetchSessions(std::size_t sessions_max, std::uint64_t seed) : sessions_max_(sessions_max), random_(seed) {}

  // The session that serves a request and whether the answer is incremental, or the error that is the whole
  // answer. `session` is empty for a full answer without a session. The caller puts the request's targets and
  // forgets its forgotten ones, and calls done() when the request is answered.
  struct Begun {
    wire::ErrorCode error{};
    std::shared_ptr<FetchSession> session;
    bool incremental = false;
  };
  Begun begin(const FetchSessionRequest& request, Instant now);
  void done(FetchSession& session);

  std::size_t size() const { return sessions_.size(); }

 private:
  std::shared_ptr<FetchSession> open(bool by_id, Instant now);
  bool make_room(Instant now);

  std::size_t sessions_max_;
  Prng random_;
  std::map<std::int32_t, std::shared_ptr<FetchSession>> sessions_;
};

}  // namespace tailwater::session
