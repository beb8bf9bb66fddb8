// How a client fetches from a topic: in some version, by name or by id, and perhaps in a fetch session, of which
// it asks only what has changed and is told only what has. What an answer says about the session and its
// topic is judged here, its records are not.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "sim/ledger.hpp"
#include "sim/versions.hpp"
#include "wire/api/fetch.hpp"

namespace tailwater::sim {

struct FetchTarget {
  std::int32_t partition = 0;
  std::int64_t position = 0;
  std::int32_t bytes_max = 0;
  friend bool operator==(const FetchTarget&, const FetchTarget&) = default;
};

class Fetching {
 public:
  enum class Sessions : std::uint8_t { never, perhaps };
  Fetching(Prng& random, Ledger& ledger, Topic topic, Sessions sessions);
  // For tests.
  Fetching(Ledger& ledger, Topic topic, std::int16_t version, bool in_session)
      : ledger_(ledger), topic_(std::move(topic)), version_(version), in_session_(in_session) {}

  std::int16_t version() const { return version_; }
  bool in_session() const { return in_session_; }
  // A request for these partitions, with the topics filled in; the rest is the caller's.
  wire::FetchRequest request(const std::vector<FetchTarget>& targets);
  // False if nothing of the answer counts, and all is to be asked again.
  bool accept(const wire::FetchResponse& response);
  // The next request begins anew: it asks for all, and is told of all.
  void begin_anew() { anew_ = true; }

 private:
  void check_parts(const wire::FetchResponse& response);

  Ledger& ledger_;
  Topic topic_;
  std::int16_t version_ = 0;
  bool in_session_ = false;
  bool anew_ = true;
  std::int32_t id_ = 0;
  std::int32_t epoch_ = 0;                       // of the next request
  std::map<std::int32_t, FetchTarget> targets_;  // that the last request was about
};

}  // namespace tailwater::sim
