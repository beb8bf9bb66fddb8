// An answer on its way: encoded bytes, and payload of others between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace tailwater::session {

// Payload that belongs to somebody else (pinned chunks of the log cache).
struct Splice {
  std::size_t position = 0;   // in `Response::bytes`, before which the payload goes; ascending
  Bytes payload;              // owned by whoever `release` names
  std::uint64_t release = 0;  // 0: nothing to release
};

// A whole response frame: size field, header, body.
struct Response {
  Buffer bytes;
  std::vector<Splice> splices;
  bool tells_error = false;  // of the request, or of any part of it

  std::size_t size() const {
    std::size_t total = bytes.size();
    for (const Splice& splice : splices) total += splice.payload.size();
    return total;
  }
};

// Responses that were sent, for the memory of those to come: many small ones, and some large ones as
// consumers of many partitions get them.
class ResponsePool {
 public:
  // An empty one for about so many bytes, with memory if there is a spare one.
  Response take(std::size_t bytes) {
    Spare& fitting = bytes > kSmall ? large_ : small_;
    Spare& other = bytes > kSmall ? small_ : large_;
    return take_from(fitting.responses.empty() ? other : fitting);
  }
  void give(Response&& response) {
    if (response.bytes.capacity() == 0) return;
    Spare& spare = memory_of(response) > kSmall ? large_ : small_;
    if (memory_of(response) > spare.memory_max - spare.memory) return;
    response.bytes.clear();
    response.splices.clear();
    response.tells_error = false;
    spare.memory += memory_of(response);
    spare.responses.push_back(std::move(response));
  }
  std::size_t memory() const { return small_.memory + large_.memory; }

 private:
  struct Spare {
    std::size_t memory_max;
    std::size_t memory = 0;
    std::vector<Response> responses;
  };

  static std::size_t memory_of(const Response& response) {
    return response.bytes.capacity() + response.splices.capacity() * sizeof(Splice);
  }
  static Response take_from(Spare& spare) {
    if (spare.responses.empty()) return {};
    Response response = std::move(spare.responses.back());
    spare.responses.pop_back();
    spare.memory -= memory_of(response);
    return response;
  }

  static constexpr std::size_t kSmall = 2048;
  Spare small_{.memory_max = 1 << 20};
  Spare large_{.memory_max = 4 << 20};
};

}  // namespace tailwater::session
