// A model client: one connection to the broker, one request at a time, reconnecting by itself. What it asks
// and what it makes of the answers is its owner's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/broker.hpp"
#include "wire/header.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace tailwater::sim {

class Client : public Wire {
 public:
  // `lost` is called when the connection broke with a request unanswered: ask again, its outcome is unknown.
  Client(Broker& broker, std::string name, std::function<void()> lost)
      : broker_(broker), name_(std::move(name)), lost_(std::move(lost)) {}
  ~Client() override;

  // REQUIRES: no request is unanswered. If there is no connection and none can be made now, `lost` follows.
  template <class Request, class Then>
  void ask(std::int16_t version, const Request& request, Then then) {
    using Response = typename wire::ApiOf<Request>::Response;
    Buffer frame(4);
    wire::Writer writer(frame);
    constexpr auto key = static_cast<std::int16_t>(wire::ApiOf<Request>::key);
    wire::encode_request_header(
        writer,
        {.api_key = key, .api_version = version, .correlation_id = ++correlation_, .client_id = name_});
    encode(writer, version, request);
    store_big(frame.data(), static_cast<std::uint32_t>(frame.size() - 4));
    send(std::move(frame), [this, version, then = std::move(then)](Bytes body) mutable {
      wire::Reader reader(body);
      const auto correlation = wire::decode_response_header(reader, wire::ApiOf<Request>::key, version);
      if (!correlation || *correlation != correlation_) return complain("an answer out of order");
      Response response;
      if (!decode(reader, version, response)) return complain("an answer that cannot be read");
      then(std::move(response));
    });
  }

  bool busy() const { return static_cast<bool>(then_); }
  void disconnect();
  const std::string& name() const { return name_; }
  // What the broker did that no client may see; empty if all was well.
  const std::string& complaint() const { return complaint_; }

  void bytes_arrived(Bytes bytes) override;
  void closed() override;

 private:
  using Then = std::move_only_function<void(Bytes)>;
  void send(Buffer frame, Then then);
  void lose();
  void complain(std::string what);

  Broker& broker_;
  std::string name_;
  std::function<void()> lost_;
  std::uint64_t connection_ = 0;
  std::int32_t correlation_ = 0;
  Buffer received_;
  Then then_;
  std::string complaint_;
};

}  // namespace tailwater::sim
