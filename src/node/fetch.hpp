// Fetch, the connection's side: partitions of a request are read on their shards, and the answer goes out
// when there is enough, or the time is over. A fetch that waits holds no memory: what changed is planned
// again from the start when a partition of its session has changed, when blocks that it needs were read, or
// when its time is over.
//
//   attempt --(other shards asked)--> reading --(all answered)--> conclude --> answered
//                                                                  |   ^--- changed, ticket ready, deadline:
//                                                                  attempt
//                                                                  +--> parked
//
// An attempt looks at the ready targets of the session only. A target of which there is nothing to tell rests
// until its partition's shard says that it changed: that is agreed upon when it is looked at, and holds
// between polls.
//
// A connection has one fetch at a time (a fetch is a barrier), so a fetch is known by its connection's
// number.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/session/fetch_session.hpp"
#include "core/session/output_queue.hpp"
#include "node/connections.hpp"
#include "node/context.hpp"
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
  Instant next_deadline() const;

  std::uint64_t requests = 0;
  std::uint64_t failed = 0;
  std::uint64_t looks = 0;  // at partitions

 private:
  using Targets = session::FetchSession::Targets;

  struct Pending {
    Request request;
    session::FetchSession* session = nullptr;
    std::int32_t session_id = 0;  // that the client is told
    bool incremental = false;
    bool by_id = false;
    std::int32_t min_bytes = 0;
    std::size_t max_bytes = 0;
    Instant deadline;
    FetchTerms terms;

    // Of the attempt under way, by part:
    std::uint32_t round = 0;
    std::vector<Targets::iterator> targets;
    std::vector<FetchPart> parts;
    std::size_t outstanding = 0;      // shards that have not answered
    std::set<std::uint64_t> tickets;  // blocks that are being read for it
    bool needs = false;               // the attempt could not read everything from memory
    bool changed = false;             // something came since it began
  };
  struct Pin {
    ShardId owner;
    log::PinHandle pin;
  };

  void refuse(const Request& request, wire::ErrorCode error);
  void put_targets(Pending& fetch, wire::FetchReader& asked);
  bool idle(const Pending& fetch) const { return fetch.outstanding == 0 && fetch.tickets.empty(); }
  void attempt(std::uint64_t id);
  void look(std::uint64_t id, Pending& fetch, Targets::iterator target, std::size_t total,
            std::map<ShardId, FetchMail>& elsewhere);
  void conclude(std::uint64_t id);
  void rest_quiet_ones(Pending& fetch);
  void finish(Pending& fetch);
  void unwatch(const session::FetchSession& session, const session::FetchTarget& target);
  void unwatch_ended();
  void send_unwatching();
  void drop_pieces(FetchPart& part);
  void drop_all(Pending& fetch);
  void answer(std::uint64_t id);
  cluster::TopicHandle topic_of(const session::FetchTarget& target, bool by_id) const;
  bool is_news(const Pending& fetch, std::size_t index) const;
  bool same_topic(const Pending& fetch, std::size_t one, std::size_t other) const;
  session::Response response_of(Pending& fetch);
  void write_part(wire::FetchResponseWriter& writer, Pending& fetch, std::size_t index);
  std::uint64_t release_token(FetchPart& part);

  Context& context_;
  Partitions& partitions_;
  Connections& connections_;
  session::FetchSessions sessions_;
  std::map<std::uint64_t, Pending> pending_;
  std::set<std::pair<Instant, std::uint64_t>> deadlines_;
  std::multimap<std::uint64_t, std::uint64_t> waiting_;  // ticket -> fetch
  std::vector<std::uint64_t> changed_;                   // fetches, some of them more than once
  std::map<ShardId, UnwatchMail> unwatching_;
  std::unordered_map<std::uint64_t, Pin> pins_;
  std::map<ShardId, std::vector<log::PinHandle>> returns_;
  std::uint64_t next_token_ = 1;
  // Of the answer being written; kept for their memory.
  std::vector<std::size_t> named_;
  std::vector<std::size_t> runs_;
  std::vector<wire::FetchPiece> pieces_;
  std::vector<std::uint64_t> releases_;
  std::vector<wire::FetchAbortedTransaction> aborted_;
};

}  // namespace tailwater::node
