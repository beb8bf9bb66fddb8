// Produce, the connection's side: the parts of a request go to the shards of their partitions, and the answer
// goes out when the last part is answered. The request's bytes stay in its receive block until then.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "core/session/receive_buffer.hpp"
#include "node/connections.hpp"
#include "node/context.hpp"
#include "node/mail.hpp"
#include "node/partitions.hpp"
#include "node/request.hpp"
#include "wire/produce_stream.hpp"

namespace tailwater::node {

class Produces {
 public:
  Produces(Context& context, Partitions& partitions, Connections& connections)
      : context_(context), partitions_(partitions), connections_(connections) {}

  // `body` lies in the block. An error means that the connection must be closed.
  Result<void> serve(const Request& request, Bytes body, session::BlockRef block);

  // --- owner's side: parts of other shards' requests
  void asked(ShardId from, const ProduceMail& mail);

  void produced(std::uint64_t request, ProduceResult&& result);
  void tick();
  Instant next_deadline() const;

  std::uint64_t requests = 0;
  std::uint64_t failed = 0;

 private:
  struct Topic {
    std::string_view name;  // in the block
    Uuid id;
    std::size_t parts = 0;
  };
  struct Part {
    std::int32_t partition = 0;
    bool open = true;
    ProduceResult result;
  };
  struct Pending {
    Request request;
    std::int16_t acks = -1;
    Instant deadline;
    session::BlockRef block;  // the request's bytes, which names and parts on other shards borrow
    std::size_t outstanding = 0;
    std::vector<Topic> topics;
    std::vector<Part> parts;
    bool answered = false;  // by its timeout; waits for its parts only to free its bytes
    bool any_error = false;
  };

  void route(Pending& pending, std::uint64_t id, wire::ProduceReader& asked);
  void finish(std::uint64_t id);
  void answer(Pending& pending);
  session::Response response_of(const Pending& pending);

  Context& context_;
  Partitions& partitions_;
  Connections& connections_;
  std::map<std::uint64_t, Pending> pending_;
  std::set<std::pair<Instant, std::uint64_t>> deadlines_;
  std::uint64_t next_ = 1;
  std::vector<ProduceAsk> here_;                         // of the request being routed; kept for its memory
  std::vector<wire::ProduceRecordError> record_errors_;  // of the part being written; kept for its memory
};

}  // namespace tailwater::node
