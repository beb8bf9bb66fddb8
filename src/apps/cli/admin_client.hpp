// Requests to a cluster: to any broker, to a certain one, to the controller, to the coordinator of a group or
// of a transactional id. Each broker has one connection, opened when it is first needed. Blocking; one
// request at a time.
//
// The wire structs are the interface. Where an API's newest versions name topics by id, the caller gives the
// last version that names them by name.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/broker_connection.hpp"
#include "apps/cli/settings.hpp"
#include "base/result.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api_table.hpp"

namespace tailwater::apps::cli {

// What a coordinator looks after, as FindCoordinator names it.
enum class Coordinated : std::int8_t { group = 0, transaction = 1 };

class AdminClient {
 public:
  AdminClient(std::vector<Address> bootstrap, ConnectionOptions options)
      : bootstrap_(std::move(bootstrap)), options_(std::move(options)) {}
  static Result<AdminClient> make(const Settings& settings);

  const ConnectionOptions& options() const { return options_; }

  // The first broker of --brokers that answers.
  Result<BrokerConnection*> any();
  // A broker whose address metadata() or coordinator() has told.
  Result<BrokerConnection*> broker(std::int32_t id);
  Result<BrokerConnection*> controller();
  Result<std::int32_t> coordinator_of(const std::string& key, Coordinated kind = Coordinated::group);

  // Topics by name, all of them, or none.
  struct TopicChoice {
    enum class Kind : std::uint8_t { all, none, named } kind = Kind::all;
    std::vector<std::string> names{};
    bool create = false;  // let the broker create what is missing, if it does such things
  };
  Result<wire::MetadataResponse> metadata(const TopicChoice& topics);

  template <class Request>
  Result<typename wire::ApiOf<Request>::Response> ask(BrokerConnection& connection, const Request& request,
                                                      std::int16_t at_most = INT16_MAX) {
    using Api = wire::ApiOf<Request>;
    const auto version = connection.version_for(Api::key, at_most);
    if (!version) return std::unexpected(version.error());
    Buffer frame = connection.request_frame(Api::key, *version);
    wire::Writer writer(frame);
    encode(writer, *version, request);
    const auto body = connection.exchange(std::move(frame), Api::key, *version, options_.deadline());
    if (!body) return std::unexpected(body.error());
    wire::Reader reader(*body, kAnswerAllowance);
    typename Api::Response response;
    if (auto decoded = decode(reader, *version, response); !decoded) {
      return fail(Errc::malformed, fmt::format("the answer of {} cannot be read: {}",
                                               to_string(connection.address()), decoded.error().message));
    }
    return response;
  }

  template <class Request>
  Result<typename wire::ApiOf<Request>::Response> ask_any(const Request& request,
                                                          std::int16_t at_most = INT16_MAX) {
    const auto connection = any();
    if (!connection) return std::unexpected(connection.error());
    return ask(**connection, request, at_most);
  }
  template <class Request>
  Result<typename wire::ApiOf<Request>::Response> ask_broker(std::int32_t id, const Request& request,
                                                             std::int16_t at_most = INT16_MAX) {
    const auto connection = broker(id);
    if (!connection) return std::unexpected(connection.error());
    return ask(**connection, request, at_most);
  }
  template <class Request>
  Result<typename wire::ApiOf<Request>::Response> ask_controller(const Request& request,
                                                                 std::int16_t at_most = INT16_MAX) {
    const auto connection = controller();
    if (!connection) return std::unexpected(connection.error());
    return ask(**connection, request, at_most);
  }

  // To the coordinator, again while it moves or loads. `error_of` gives the answer's error.
  template <class Request, class ErrorOf>
  Result<typename wire::ApiOf<Request>::Response> ask_coordinator(const std::string& key,
                                                                  const Request& request,
                                                                  const ErrorOf& error_of,
                                                                  std::int16_t at_most = INT16_MAX,
                                                                  Coordinated kind = Coordinated::group) {
    const Deadline deadline = options_.deadline();
    for (;;) {
      const auto coordinator = coordinator_of(key, kind);
      if (!coordinator) return std::unexpected(coordinator.error());
      auto answer = ask_broker(*coordinator, request, at_most);
      if (!answer || !is_passing(error_of(*answer)) || !pause_before(deadline)) return answer;
    }
  }

 private:
  // Errors of a coordinator that is being found, moved or loaded.
  static bool is_passing(wire::ErrorCode code);
  // false: there is no time left for a pause.
  static bool pause_before(Deadline deadline);

  static constexpr std::size_t kAnswerAllowance = std::size_t{1} << 32;

  void learn(const wire::MetadataResponse& answer);

  std::vector<Address> bootstrap_;
  ConnectionOptions options_;
  std::optional<BrokerConnection> any_;
  std::map<std::int32_t, Address> addresses_;
  std::map<std::int32_t, BrokerConnection> brokers_;
  std::int32_t controller_id_ = -1;
  bool metadata_known_ = false;
};

}  // namespace tailwater::apps::cli
