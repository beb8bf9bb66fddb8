// Records as the command line sees them: borrowed while they are printed, owned while they are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tailwater::apps::cli {

// A consumed record. Everything borrowed from the message that it came in. Null and empty differ.
struct RecordView {
  struct Header {
    std::string_view key;
    std::optional<std::string_view> value;
  };
  std::string_view topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::optional<std::int64_t> timestamp;  // milliseconds since 1970
  bool appended_time = false;             // the broker's time, not the producer's
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<Header> headers;
  std::int64_t log_start = -1;  // as far as known
  std::int64_t high_watermark = -1;
};

// A record to produce. Strings keep their memory from one record to the next.
struct InputRecord {
  struct Header {
    std::string key;
    std::optional<std::string> value;
    friend bool operator==(const Header&, const Header&) = default;
  };
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<Header> headers;
  std::optional<std::int32_t> partition;
  std::optional<std::int64_t> timestamp;
  friend bool operator==(const InputRecord&, const InputRecord&) = default;
};

}  // namespace tailwater::apps::cli
