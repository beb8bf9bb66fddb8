// A model client's connection to the broker: requests may follow each other without waiting, answers come in
// order; it connects by itself and gives up on a broker that is silent. What it asks and what it makes of the
// answers is its owner's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "sim/agenda.hpp"
#include "sim/network.hpp"
#include "wire/header.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace tailwater::sim {

class Client : public Wire {
 public:
  // `lost` is called when the connection broke with requests unanswered: their outcomes are unknown, and none
  // of them will be answered.
  Client(Agenda& agenda, Network& network, std::string name, std::function<void()> lost)
      : agenda_(agenda), network_(network), name_(std::move(name)), lost_(std::move(lost)) {}
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // If there is no connection and none can be made now, `lost` follows soon.
  template <class Request, class Then>
  void ask(std::int16_t version, const Request& request, Then then) {
    using Response = typename wire::ApiOf<Request>::Response;
    Buffer frame(4);
    wire::Writer writer(frame);
    constexpr auto key = static_cast<std::int16_t>(wire::ApiOf<Request>::key);
    const std::int32_t correlation = ++correlation_;
    wire::encode_request_header(
        writer, {.api_key = key, .api_version = version, .correlation_id = correlation, .client_id = name_});
    encode(writer, version, request);
    store_big(frame.data(), static_cast<std::uint32_t>(frame.size() - 4));
    if (tap_) tap_(wire::ApiOf<Request>::key, version, frame);
    send(std::move(frame), [this, version, correlation, then = std::move(then)](Bytes body) mutable {
      wire::Reader reader(body);
      const auto answered = wire::decode_response_header(reader, wire::ApiOf<Request>::key, version);
      if (!answered || *answered != correlation) return complain("an answer out of order");
      Response response;
      if (!decode(reader, version, response)) return complain("an answer that cannot be read");
      then(std::move(response));
    });
  }

  // Sends what another client has sent. `then` gets the whole answer, its header in front.
  using Then = std::move_only_function<void(Bytes)>;
  void repeat(Buffer frame, Then then) { send(std::move(frame), std::move(then)); }
  // Is shown every frame before it is sent.
  using Tap = std::function<void(wire::ApiKey, std::int16_t version, const Buffer& frame)>;
  void set_tap(Tap tap) { tap_ = std::move(tap); }

  std::size_t unanswered() const { return thens_.size(); }
  bool busy() const { return !thens_.empty(); }
  bool connected() const { return connection_ != 0; }
  void disconnect();
  // Goes away without telling the broker.
  void vanish();
  const std::string& name() const { return name_; }
  // What the broker did that no client may see; empty if all was well.
  const std::string& complaint() const { return complaint_; }

  void bytes_arrived(Bytes bytes) override;
  void closed() override;

 private:
  struct Waiting {
    Then then;
    Instant since;
  };

  void send(Buffer frame, Then then);
  void lose();
  void watch();
  void complain(std::string what);

  Agenda& agenda_;
  Network& network_;
  std::string name_;
  std::function<void()> lost_;
  Tap tap_;
  std::uint64_t connection_ = 0;
  std::int32_t correlation_ = 0;
  Buffer received_;
  std::deque<Waiting> thens_;
  bool watching_ = false;
  std::string complaint_;
};

}  // namespace tailwater::sim
