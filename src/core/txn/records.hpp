// The records of __transaction_state, byte for byte as Kafka reads them: key = the transactional id, value =
// everything about it (so the newest record of a key says all), null value = the id expired. Decoding is
// total on damaged bytes.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "core/txn/state.hpp"

namespace tailwater::txn {

struct Change {
  std::string transactional_id;
  std::optional<Metadata> value;
  friend bool operator==(const Change&, const Change&) = default;
};

struct KeyValue {
  Buffer key;
  std::optional<Buffer> value;
};

KeyValue encode(const std::string& transactional_id, const Metadata* value);
// Nothing for kinds of records that belong to others.
Result<std::optional<Change>> decode(Bytes key, std::optional<Bytes> value);

}  // namespace tailwater::txn
