// Strong ids: numbers of different meaning that the compiler keeps apart. Explicit in, `.value` out.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace tailwater {

template <class Tag, class Number>
struct StrongId {
  using number_type = Number;
  Number value{};

  constexpr StrongId() = default;
  constexpr explicit StrongId(Number number) : value(number) {}
  friend constexpr auto operator<=>(StrongId, StrongId) = default;
};

// Offset of a record in a partition; the first is 0. -1 where a protocol field says "none".
struct Offset : StrongId<Offset, std::int64_t> {
  using StrongId::StrongId;
  constexpr Offset operator+(std::int64_t count) const { return Offset{value + count}; }
  constexpr std::int64_t operator-(Offset other) const { return value - other.value; }
  friend constexpr auto operator<=>(Offset, Offset) = default;
};

// Byte address in a journal; always growing, never reused.
struct Lsn : StrongId<Lsn, std::uint64_t> {
  using StrongId::StrongId;
  constexpr Lsn operator+(std::uint64_t bytes) const { return Lsn{value + bytes}; }
  constexpr std::uint64_t operator-(Lsn other) const { return value - other.value; }
  friend constexpr auto operator<=>(Lsn, Lsn) = default;
};

using BrokerId = StrongId<struct BrokerIdTag, std::int32_t>;
using LeaderEpoch = StrongId<struct LeaderEpochTag, std::int32_t>;
using PartitionId = StrongId<struct PartitionIdTag, std::int32_t>;
using ProducerId = StrongId<struct ProducerIdTag, std::int64_t>;
using ProducerEpoch = StrongId<struct ProducerEpochTag, std::int16_t>;
// A partition's log on this broker; never reused, also not when a topic of the same name comes back.
using LogId = StrongId<struct LogIdTag, std::uint64_t>;
// One of the configured log directories, in the order of log.dirs.
using DirId = StrongId<struct DirIdTag, std::uint32_t>;
using ShardId = StrongId<struct ShardIdTag, std::uint32_t>;
using ConnectionId = StrongId<struct ConnectionIdTag, std::uint64_t>;
using ListenerId = StrongId<struct ListenerIdTag, std::uint32_t>;

}  // namespace tailwater

template <class Tag, class Number>
struct std::hash<tailwater::StrongId<Tag, Number>> {
  std::size_t operator()(tailwater::StrongId<Tag, Number> id) const noexcept {
    return std::hash<Number>{}(id.value);
  }
};
