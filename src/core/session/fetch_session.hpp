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
// A request without a session has a nameless one (id 0) for as long as it is served. Nothing is allocated for
// a request that names what its session knows, nor for one without a session that is not the first.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash_map.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"
#include "base/uuid.hpp"
#include "wire/error_code.hpp"

namespace tailwater::session {

// As requests name it: by id, or in older ones by name.
struct FetchTopic {
  std::string name;
  Uuid id;
};

// What a client asks of a partition.
struct FetchWish {
  std::int32_t partition = 0;
  std::int64_t fetch_offset = 0;
  std::int32_t max_bytes = 0;
  std::int32_t current_leader_epoch = -1;
  std::int32_t last_fetched_epoch = -1;
};

// A partition that is fetched: what the client asked last, and what it was answered last.
struct FetchTarget {
  FetchWish wish;
  std::uint32_t topic = 0;  // see FetchSession::topic()

  std::int64_t answered_high_watermark = -1;
  std::int64_t answered_log_start = -1;
  bool answered = false;

  bool watched = false;      // somebody watches its partition for it
  bool quiet = false;        // in the list of quiet ones
  std::uint32_t number = 0;  // in its session: what those who watch its partition call it
};

class FetchSession {
 public:
  // The place of a target in its session, for as long as it is not forgotten.
  using Slot = std::uint32_t;
  static constexpr Slot kEnd = 0;

  FetchSession(std::uint64_t number, std::int32_t id, bool by_id) { open(number, id, by_id); }
  // As a new one, in the memory of what it was.
  void open(std::uint64_t number, std::int32_t id, bool by_id);

  std::uint64_t number() const { return number_; }  // never given twice
  std::int32_t id() const { return id_; }           // the client's name for it
  bool by_id() const { return by_id_; }
  std::size_t size() const { return size_; }
  // Its memory is more than a spare one should keep.
  bool is_large() const;
  // The request that is being served.
  std::optional<std::uint64_t> request() const { return request_; }

  FetchTarget& operator[](Slot slot) { return slots_[slot].target; }
  const FetchTarget& operator[](Slot slot) const { return slots_[slot].target; }
  const FetchTopic& topic(const FetchTarget& target) const { return topics_[target.topic]->topic; }

  // Targets to look at, in the order in which they are served:
  //   for (Slot slot = session.first_ready(); slot != FetchSession::kEnd; slot = session.next(slot))
  Slot first_ready() const { return slots_[kReady].after; }
  Slot next(Slot slot) const { return slots_[slot].after; }
  // Calls visit(target) for all, quiet ones too.
  template <class Visit>
  void each(Visit visit) const {
    for (Slot slot = kFirst; slot < slots_.size(); ++slot) {
      if (slots_[slot].used) visit(slots_[slot].target);
    }
  }

  // Adds or updates; what was answered stays known. The target is ready.
  void put(std::string_view topic, const Uuid& topic_id, const FetchWish& wish);
  std::optional<Slot> find(std::string_view topic, const Uuid& topic_id, std::int32_t partition);
  void forget(Slot slot);
  // After an answer that named the ready target: it is served last next time, so that no partition starves.
  void move_to_end(Slot slot) { move(slot, kReady); }
  // There is nothing to tell of the ready target until it changes.
  void rest(Slot slot);
  // What those who watch a target's partition say; news of forgotten targets is ignored.
  void watched(std::uint32_t target);
  void changed(std::uint32_t target);

 private:
  friend class FetchSessions;

  // Targets hang in one of two rings, each of which goes through a slot of its own.
  static constexpr Slot kReady = kEnd;
  static constexpr Slot kQuiet = 1;
  static constexpr Slot kFirst = 2;
  struct Entry {
    FetchTarget target;
    Slot before = 0;
    Slot after = 0;
    // A target's number is its slot, and how often the slot was given: late news of a forgotten target must
    // not be taken for news of the next one.
    std::uint8_t given = 0;
    bool used = false;
  };
  struct Topic {
    FetchTopic topic;
    std::uint32_t targets = 0;
    HashMap<std::int32_t, Slot> slots;  // by partition; empty in a nameless session, see index_
  };
  struct TopicKey {
    Uuid id;                // of a session by id,
    std::string_view name;  // else the name, which lies in the topic
    friend auto operator<=>(const TopicKey&, const TopicKey&) = default;
  };

  static constexpr std::uint32_t kNoTopic = UINT32_MAX;
  bool is_topic(std::uint32_t topic, std::string_view name, const Uuid& id) const;
  std::uint32_t find_topic(std::string_view name, const Uuid& id);
  std::uint32_t add_topic(std::string_view name, const Uuid& id);
  TopicKey key_of(std::string_view name, const Uuid& id) const {
    return by_id_ ? TopicKey{id, {}} : TopicKey{Uuid{}, name};
  }
  Slot add(std::uint32_t topic, const FetchWish& wish);
  std::optional<Slot> find(std::uint32_t number) const;
  void unlink(Slot slot);
  void link(Slot slot, Slot ring);
  void move(Slot slot, Slot ring) {
    unlink(slot);
    link(slot, ring);
  }
  void make_ready(Slot slot);

  std::uint64_t number_ = 0;
  std::int32_t id_ = 0;
  bool by_id_ = false;
  std::int32_t next_epoch_ = 1;
  Instant opened_;
  Instant last_used_;
  std::optional<std::uint64_t> request_;
  bool listed_ = false;  // the client may ask for it again
  std::size_t size_ = 0;
  std::vector<Entry> slots_;
  std::vector<Slot> free_slots_;
  std::vector<std::unique_ptr<Topic>> topics_;  // the first topics_used_ of them, but for the free ones
  std::uint32_t topics_used_ = 0;
  std::vector<std::uint32_t> free_topics_;
  std::uint32_t last_topic_ = kNoTopic;      // that was named: the next partition is likely to be of it
  std::map<TopicKey, std::uint32_t> index_;  // empty in a nameless session: nobody comes back to it
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

  // By number; null if it is over.
  FetchSession* find(std::uint64_t number);
  // Calls visit(session) for each session that is over, for those who keep something about its targets, and
  // forgets it.
  template <class Visit>
  void bury(Visit visit) {
    for (const std::uint32_t place : ended_) {
      visit(std::as_const(*places_[place].session));
      give_back(place);
    }
    ended_.clear();
  }

  // Of those that clients may ask for again.
  std::size_t size() const { return by_id_.size(); }

 private:
  // A session is known by its place and by how often that was given.
  struct Place {
    std::unique_ptr<FetchSession> session;  // null while it is free
    std::uint32_t given = 0;
    bool over = false;
  };

  FetchSession& make(std::int32_t id, const FetchSessionRequest& request, Instant now);
  FetchSession& open(const FetchSessionRequest& request, Instant now);
  bool make_room(std::size_t partitions, Instant now);
  void end_if_unused(FetchSession& session);
  void give_back(std::uint32_t place);

  std::size_t sessions_max_;
  Prng random_;
  std::vector<Place> places_;
  std::vector<std::uint32_t> free_places_;
  std::vector<std::uint32_t> ended_;
  std::vector<std::unique_ptr<FetchSession>> spare_;  // for their memory
  std::map<std::int32_t, FetchSession*> by_id_;
};

}  // namespace tailwater::session
