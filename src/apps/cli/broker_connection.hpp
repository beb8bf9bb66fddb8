// One TCP connection to a broker, for requests one after the other. Blocking, with a deadline for every wait.
// After an error the connection is closed for good. Plaintext only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api_key.hpp"

namespace tailwater::apps::cli {

struct Address {
  std::string host;
  std::uint16_t port = 9092;
  friend bool operator==(const Address&, const Address&) = default;
};
std::string to_string(const Address& address);

// "a:9092,b" -> two addresses; the port is 9092 where none is given; IPv6 in brackets.
Result<std::vector<Address>> parse_addresses(std::string_view text);

using Deadline = std::chrono::steady_clock::time_point;

// What connections of a command have in common.
struct ConnectionOptions {
  std::chrono::milliseconds timeout{10'000};  // for connecting, and for every answer
  Deadline latest = Deadline::max();          // for everything
  std::string client_id;
  Deadline deadline() const;
};

class BrokerConnection {
 public:
  // Connects and asks which versions the broker speaks.
  static Result<BrokerConnection> open(const Address& address, const ConnectionOptions& options);

  BrokerConnection(BrokerConnection&& other) noexcept;
  BrokerConnection& operator=(BrokerConnection&& other) noexcept;
  BrokerConnection(const BrokerConnection&) = delete;
  BrokerConnection& operator=(const BrokerConnection&) = delete;
  ~BrokerConnection();

  const Address& address() const { return address_; }
  const wire::ApiVersionsResponse& versions() const { return versions_; }

  // The newest version that both sides speak, at most `at_most`. Errc::unsupported with a sentence that names
  // both.
  Result<std::int16_t> version_for(wire::ApiKey key, std::int16_t at_most) const;

  // Sends a frame that was begun with request_frame() and gives the answer's body, which stays until the next
  // call.
  Buffer request_frame(wire::ApiKey key, std::int16_t version);
  Result<Bytes> exchange(Buffer frame, wire::ApiKey key, std::int16_t version, Deadline deadline);

 private:
  BrokerConnection(Address address, int socket, std::string client_id);
  Result<void> negotiate(Deadline deadline);
  Result<void> send_all(Bytes bytes, Deadline deadline, std::string_view what);
  Result<void> receive_exactly(MutableBytes to, Deadline deadline, std::string_view what);
  void close();

  Address address_;
  int socket_ = -1;
  std::string client_id_;
  std::int32_t next_correlation_ = 1;
  std::int32_t correlation_ = 0;  // of the request in flight
  wire::ApiVersionsResponse versions_;
  Buffer answer_;
};

}  // namespace tailwater::apps::cli
