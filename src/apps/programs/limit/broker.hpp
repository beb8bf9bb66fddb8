// Just enough of Kafka's protocol for `load` to drive the limit program: topics are made, batches are taken,
// and whoever fetches gets them from memory. Nothing is validated beyond what finds its way, nothing is
// recovered.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/session/output_queue.hpp"
#include "programs/limit/files.hpp"
#include "programs/limit/partition.hpp"
#include "wire/fetch_stream.hpp"

namespace tailwater::limit {

// What becomes of batches. `echo` answers requests and does nothing else.
enum class Mode : std::uint8_t { durable, echo };

// One client. Its owner sends `out` and hands received frames to the broker.
struct Client {
  session::OutputQueue out;
  bool is_dirty = false;  // something was put into `out`

  struct Target {
    Partition* partition = nullptr;
    std::int64_t offset = 0;
    std::size_t bytes_max = 0;
  };
  std::vector<Target> targets;  // of its fetch session, by place
  std::map<std::int32_t, std::size_t> places;
  const Topic* topic = nullptr;  // of the session
  std::int32_t session = 0;
  bool is_waiting = false;
  bool is_incremental = false;
  std::int32_t correlation = 0;  // of the fetch that waits
  std::int64_t deadline_ms = 0;
  std::size_t bytes_max = 0;
};

class Broker {
 public:
  Broker(Mode mode, std::uint16_t port, Files& files, std::size_t memory_max, std::size_t file_bytes)
      : mode_(mode), port_(port), files_(files), partitions_(files, memory_max, file_bytes) {}

  // A frame without its size. Throws std::runtime_error if it is none of those that `load` sends. The client
  // lives as long as the broker.
  void take(Client& client, Bytes frame, std::int64_t now_ms);
  // After a turn's frames and completions: sends frames off, and answers fetches that have something now.
  void end_turn(std::int64_t now_ms);
  void released(std::uint64_t token) { partitions_.unpin(reinterpret_cast<Chunk*>(token)); }
  // Clients whose `out` has something new.
  std::vector<Client*> take_dirty() { return std::exchange(dirty_, {}); }

 private:
  struct Pending {
    Client* client;
    session::Response answer;
    std::size_t writes = 0;  // of large batches
    std::vector<std::pair<Partition*, std::int64_t>> ends;
  };

  void produce(Client& client, std::int16_t version, std::int32_t correlation, Bytes body);
  void await_frame(std::shared_ptr<Pending> pending);
  void fetch(Client& client, std::int16_t version, std::int32_t correlation, Bytes body, std::int64_t now_ms);
  bool answer_fetch(Client& client, bool is_late);
  void answer(Client& client, session::Response&& response);
  template <class Request, class Serve>
  void ask(Client& client, std::int16_t version, std::int32_t correlation, wire::Reader& body, Serve serve);

  const Mode mode_;
  const std::uint16_t port_;
  Files& files_;
  Partitions partitions_;
  std::vector<std::unique_ptr<Topic>> topics_;
  std::vector<Client*> waiting_;  // for batches
  std::vector<Client*> dirty_;
  std::int32_t next_session_ = 1;
  bool has_news_ = false;
  // Of the answer being written; kept for their memory.
  std::vector<wire::FetchPiece> pieces_;
  std::vector<Partitions::Piece> read_;
  struct Found {
    Client::Target* target;
    std::size_t first;
    std::size_t count;
    std::size_t bytes;
  };
  std::vector<Found> found_;
};

}  // namespace tailwater::limit
