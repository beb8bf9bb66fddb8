// Produce, the connection's side: the parts of a request go to the shards of their partitions, and the answer
// goes out when the last part is answered. The request's bytes stay in its receive block until then.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "base/places.hpp"
#include "core/session/receive_buffer.hpp"
#include "node/connections.hpp"
#include "node/context.hpp"
#include "node/deadlines.hpp"
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
  Instant next_deadline() const { return deadlines_.next(); }

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
  // The next request of a place gets it with the memory of its lists.
  struct Pending {
    std::uint64_t id = 0;
    Request request;
    std::int16_t acks = -1;
    session::BlockRef block;  // the request's bytes, which names and parts on other shards borrow
    std::size_t outstanding = 0;
    std::vector<Topic> topics;
    std::vector<Part> parts;
    bool answered = false;  // by its timeout; waits for its parts only to free its bytes
    bool any_error = false;
  };

  void give_back(Pending& pending);
  void route(Pending& pending, wire::ProduceReader& asked, Instant deadline);
  void finish(Pending& pending);
  void answer(Pending& pending);
  session::Response response_of(const Pending& pending);

  Context& context_;
  Partitions& partitions_;
  Connections& connections_;
  Places<Pending> pending_;
  Deadlines deadlines_;                                  // by place
  std::vector<ProduceAsk> here_;                         // of the request being routed; kept for its memory
  std::vector<wire::ProduceRecordError> record_errors_;  // of the part being written; kept for its memory
};

}  // namespace tailwater::node
