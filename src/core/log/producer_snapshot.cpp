#include "core/log/producer_snapshot.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/crc32c.hpp"

namespace tailwater::log {

namespace {

constexpr std::size_t kCrcAt = 2;
constexpr std::size_t kCountAt = 6;
constexpr std::size_t kHeaderSize = 10;
constexpr std::size_t kEntrySize = 46;
constexpr std::size_t kAbortedSize = 34;

void encode(const Producer& producer, std::byte* at) {
  static constexpr ProducerBatch kNone;
  const ProducerBatch& last = producer.newest() == nullptr ? kNone : *producer.newest();
  store_big(at, producer.id.value);
  store_big(at + 8, producer.epoch.value);
  store_big(at + 10, last.last_sequence);
  store_big(at + 14, producer.newest() == nullptr ? std::int64_t{-1} : last.last_offset.value);
  store_big(at + 22, last.offset_delta);
  store_big(at + 26, producer.newest() == nullptr ? producer.last_timestamp : last.timestamp);
  store_big(at + 34, producer.coordinator_epoch);
  store_big(at + 38, producer.transaction_first.value);
}

}  // namespace

Buffer encode_snapshot(std::span<const Producer> producers) {
  Buffer bytes(kHeaderSize + producers.size() * kEntrySize);
  store_big(bytes.data(), std::int16_t{1});
  store_big(bytes.data() + kCountAt, static_cast<std::int32_t>(producers.size()));
  std::byte* at = bytes.data() + kHeaderSize;
  for (const Producer& producer : producers) {
    encode(producer, at);
    at += kEntrySize;
  }
  CHECK(at == bytes.data() + bytes.size());
  store_big(bytes.data() + kCrcAt, crc32c(Bytes(bytes).subspan(kCountAt)));
  return bytes;
}

Buffer encode_aborted(std::span<const Aborted> transactions, Offset base, Offset end) {
  const auto from = std::ranges::lower_bound(transactions, base, {}, &Aborted::last);
  const auto to = std::ranges::lower_bound(from, transactions.end(), end, {}, &Aborted::last);
  transactions = {from, to};
  Buffer bytes(transactions.size() * kAbortedSize);
  std::byte* at = bytes.data();
  for (const Aborted& each : transactions) {
    store_big(at, std::int16_t{0});
    store_big(at + 2, each.producer.value);
    store_big(at + 10, each.first.value);
    store_big(at + 18, each.last.value);
    store_big(at + 26, each.last_stable.value);
    at += kAbortedSize;
  }
  return bytes;
}

}  // namespace tailwater::log
