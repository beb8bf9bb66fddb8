// Fetch, the connection's side: partitions of a request are read on their shards, and the answer goes out
// when there is enough, or the time is over. A fetch that waits holds no memory: what changed is planned
// again from the start when a partition of its session has changed, when blocks that it needs were read, or
// when its time is over.
//
//   attempt --(other shards asked)--> reading --(all answered)--> conclude --> answered
//     ^                                                              |
//     +--- changed, ticket ready, deadline --- parked <--------------+
//
// An attempt looks at the ready targets of the session only. A target of which there is nothing to tell rests
// until its partition's shard says that it changed: that is agreed upon when it is looked at, and holds
// between polls.
//
// A connection has one fetch at a time (a fetch is a barrier), so a fetch is known by its connection's
// number. In the steady state nothing is allocated for a request, whether it waits or not.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "base/hash_map.hpp"
#include "core/session/fetch_session.hpp"
#include "core/session/response.hpp"
#include "node/connections.hpp"
#include "node/context.hpp"
#include "node/deadlines.hpp"
#include "node/mail.hpp"
#include "node/partitions.hpp"
#include "node/request.hpp"
#include "wire/fetch_stream.hpp"

namespace tailwater::node {

class Fetches {
 public:
  Fetches(Context& context, Partitions& partitions, Connections& connections);

  // An error means that the connection must be closed.
  Result<void> serve(const Request& request, Bytes body);

  // --- answers and news
  void fetched(FetchedMail&& mail);
  void changed(const Watch& watch);
  void ready(log::ReadTicket ticket);
  // Looks again for the fetches that changes were told to. True if there was any.
  bool attend();
  void tick();
  void gone(ConnectionId connection);
  // Payload was sent or dropped: its pin goes back to its owner.
  void released(std::uint64_t token);
  void flush_releases();
  Instant next_deadline() const { return deadlines_.next(); }
  // Requests that are being served.
  std::uint64_t waiting() const;

  std::uint64_t requests = 0;
  std::uint64_t failed = 0;
  std::uint64_t looks = 0;  // at partitions

 private:
  using Slot = session::FetchSession::Slot;

  // What an attempt works with. It is lent to the fetch until the attempt is over.
  struct Attempt {
    std::vector<Slot> targets;  // by part
    std::vector<FetchPart> parts;
    std::vector<Bytes> pieces;  // of all parts
  };
  // Of a connection that fetches, until it is gone.
  struct Fetch {
    std::uint32_t number = 0;  // by which its deadline is known
    bool is_open = false;      // a request is being served

    Request request;
    session::FetchSession* session = nullptr;
    std::int32_t session_id = 0;  // that the client is told
    bool incremental = false;
    bool by_id = false;
    std::int32_t min_bytes = 0;
    std::size_t max_bytes = 0;
    Instant deadline;
    FetchTerms terms;

    std::uint32_t round = 0;           // attempts so far
    std::unique_ptr<Attempt> attempt;  // the one under way
    std::size_t outstanding = 0;       // shards that have not answered
    std::set<std::uint64_t> tickets;   // blocks that are being read for it
    bool needs = false;                // the attempt could not read everything from memory
    bool changed = false;              // something came since it began
  };
  // How far an attempt is: what it has found, and the topic that it looked at last.
  struct Looking {
    std::size_t total = 0;
    std::uint32_t topic_in_session = UINT32_MAX;
    cluster::TopicHandle topic;
    std::map<ShardId, FetchMail> elsewhere;
  };
  struct Pin {
    ShardId owner;
    log::PinHandle pin;
  };

  Fetch& open(const Request& request);
  // Null if no request of the connection is being served.
  Fetch* find(std::uint64_t connection);
  void refuse(const Request& request, wire::ErrorCode error);
  void put_targets(Fetch& fetch, wire::FetchReader& asked);
  static std::uint64_t id_of(const Fetch& fetch) { return fetch.request.connection.value; }
  static bool idle(const Fetch& fetch) { return fetch.outstanding == 0 && fetch.tickets.empty(); }
  void attempt(Fetch& fetch);
  void end_attempt(Fetch& fetch);
  std::optional<FetchAsk> look(Fetch& fetch, Slot slot, Looking& looking);
  void read_here(Fetch& fetch, Looking& looking);
  static std::int32_t bytes_left(const Fetch& fetch, const Looking& looking, std::int32_t wished);
  void conclude(Fetch& fetch);
  void rest_quiet_ones(Fetch& fetch);
  void finish(Fetch& fetch);
  void unwatch(const session::FetchSession& session, const session::FetchTarget& target);
  void unwatch_ended();
  void send_unwatching();
  void give_back(FetchPart& part);
  void give_back_all(Fetch& fetch);
  void answer(Fetch& fetch);
  cluster::TopicHandle topic_of(const session::FetchTopic& topic, bool by_id) const;
  bool is_news(const Fetch& fetch, std::size_t index) const;
  session::Response response_of(Fetch& fetch);
  void write_part(wire::FetchResponseWriter& writer, Fetch& fetch, std::size_t index);
  std::uint64_t release_token(FetchPart& part);

  Context& context_;
  Partitions& partitions_;
  Connections& connections_;
  session::FetchSessions sessions_;
  HashMap<std::uint64_t, Fetch> fetches_;  // by connection
  std::vector<Fetch*> by_number_;
  std::vector<std::uint32_t> free_numbers_;
  std::vector<std::unique_ptr<Attempt>> spare_attempts_;
  Deadlines deadlines_;                                  // by number
  std::multimap<std::uint64_t, std::uint64_t> waiting_;  // ticket -> fetch
  std::vector<std::uint64_t> changed_;                   // fetches, some of them more than once
  std::vector<std::uint64_t> attending_;                 // those being looked at; kept for its memory
  std::map<ShardId, UnwatchMail> unwatching_;
  std::vector<Pin> pins_;  // by token, less one
  std::vector<std::uint64_t> free_tokens_;
  std::map<ShardId, std::vector<log::PinHandle>> returns_;
  std::vector<FetchAsk> here_;  // to be read next; kept for its memory
  // Of the answer being written; kept for their memory.
  std::vector<std::size_t> named_;
  std::vector<std::size_t> runs_;
  std::vector<wire::FetchPiece> pieces_;
  std::vector<std::uint64_t> releases_;
  std::vector<wire::FetchAbortedTransaction> aborted_;
};

}  // namespace tailwater::node
