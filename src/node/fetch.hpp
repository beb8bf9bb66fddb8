// Fetch, the connection's side: partitions of a request are read on their shards, and the answer goes out
// when there is enough, or the time is over. A fetch that waits holds no memory: it is planned again from the
// start when a partition that it watches has grown, when blocks that it needs were read, or when its time is
// over.
//
//   attempt --(other shards asked)--> reading --(all answered)--> conclude --> answered
//                                                                  |   ^--- woken, ticket ready, deadline:
//                                                                  attempt
//                                                                  +--> parked
//
// A connection has one fetch at a time (a fetch is a barrier), so a fetch is known by its connection's
// number. Also here: the owner's side of fetches whose connection lives on another shard.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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

  // --- owner's side
  void asked(ShardId from, FetchMail&& mail);
  void unwatch(ShardId from, const UnwatchMail& mail);

  // --- answers and news
  void fetched(FetchedMail&& mail);
  void woken(std::uint64_t fetch);
  void ready(log::ReadTicket ticket);
  void tick();
  void gone(ConnectionId connection);
  // Payload was sent or dropped: its pin goes back to its owner.
  void released(std::uint64_t token);
  void flush_releases();
  Instant next_deadline() const;

  std::uint64_t requests = 0;
  std::uint64_t failed = 0;

 private:
  using Targets = session::FetchSession::Targets;

  struct Pending {
    Request request;
    std::shared_ptr<session::FetchSession> session;
    bool incremental = false;
    bool by_id = false;
    Targets own_targets;  // without a session
    std::int32_t min_bytes = 0;
    std::size_t max_bytes = 0;
    Instant deadline;
    FetchTerms terms;

    // Of the attempt under way, by part:
    std::uint32_t round = 0;
    std::vector<Targets::iterator> targets;
    std::vector<FetchPart> parts;
    std::vector<std::pair<ShardId, PartitionKey>> watched;
    std::size_t outstanding = 0;      // shards that have not answered
    std::set<std::uint64_t> tickets;  // blocks that are being read for it
    bool needs = false;               // the attempt could not read everything from memory
    bool woken = false;               // something came while it was being read
  };
  struct Pin {
    ShardId owner;
    log::PinHandle pin;
  };
  struct RemoteWait {
    ShardId from;
    FetchMail mail;
  };

  Targets& targets_of(Pending& fetch) { return fetch.session ? fetch.session->targets() : fetch.own_targets; }
  void refuse(const Request& request, wire::ErrorCode error);
  void attempt(std::uint64_t id);
  void conclude(std::uint64_t id);
  void park(std::uint64_t id, Pending& fetch);
  void unwatch_all(std::uint64_t id, Pending& fetch);
  void drop_pieces(FetchPart& part);
  void drop_all(Pending& fetch);
  void answer(std::uint64_t id);
  void put_targets(Pending& fetch, wire::FetchReader& asked);
  bool is_news(const Pending& fetch, std::size_t index) const;
  bool same_topic(const Pending& fetch, std::size_t one, std::size_t other) const;
  session::Response response_of(Pending& fetch);
  void write_part(wire::FetchResponseWriter& writer, Pending& fetch, std::size_t index);
  std::uint64_t release_token(FetchPart& part);
  void answer_remote(ShardId from, FetchMail&& mail);

  Context& context_;
  Partitions& partitions_;
  Connections& connections_;
  session::FetchSessions sessions_;
  std::map<std::uint64_t, Pending> pending_;
  std::set<std::pair<Instant, std::uint64_t>> deadlines_;
  std::multimap<std::uint64_t, std::uint64_t> waiting_;      // ticket -> fetch
  std::multimap<std::uint64_t, RemoteWait> remote_waiting_;  // ticket -> fetch of another shard
  std::unordered_map<std::uint64_t, Pin> pins_;
  std::map<ShardId, std::vector<log::PinHandle>> returns_;
  std::uint64_t next_token_ = 1;
  // Of the answer being written; kept for their memory.
  std::vector<std::size_t> named_;
  std::vector<std::size_t> runs_;
  std::vector<wire::FetchPiece> pieces_;
  std::vector<std::uint64_t> releases_;
};

}  // namespace tailwater::node
