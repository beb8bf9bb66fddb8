#include "records/control.hpp"

#include <array>

#include "base/check.hpp"
#include "records/builder.hpp"

namespace tailwater::records {

namespace {

constexpr std::size_t kKeySize = 4;
constexpr std::size_t kValueSize = 6;

}  // namespace

void append_end_marker(const EndMarker& marker, WallTime now, Buffer& out) {
  std::array<std::byte, kKeySize> key;
  store_big(key.data(), std::int16_t{0});
  store_big(key.data() + 2, static_cast<std::int16_t>(marker.type));
  std::array<std::byte, kValueSize> value;
  store_big(value.data(), std::int16_t{0});
  store_big(value.data() + 2, marker.coordinator_epoch);

  BatchBuilder builder({.producer_id = marker.producer_id,
                        .producer_epoch = marker.producer_epoch,
                        .transactional = true,
                        .control = true});
  const std::size_t begin = out.size();
  CHECK(builder.add(now.ms, Bytes(key), Bytes(value)));
  CHECK(builder.finish(out).has_value());
  CHECK(out.size() - begin == kEndMarkerSize);
}

std::optional<std::int16_t> control_type(const RecordView& record) {
  if (!record.key || record.key->size() < kKeySize) return std::nullopt;
  if (load_big<std::int16_t>(record.key->data()) < 0) return std::nullopt;
  return load_big<std::int16_t>(record.key->data() + 2);
}

std::optional<EndMarker> read_end_marker(const BatchView& batch) {
  if (!batch.is_control() || !batch.is_transactional() || batch.codec() != Codec::none) return std::nullopt;
  RecordCursor cursor = records_of(batch);
  const std::optional<RecordView> record = cursor.next();
  if (!record || !record->value || record->value->size() < kValueSize) return std::nullopt;
  const std::optional<std::int16_t> type = control_type(*record);
  if (!type || (*type != static_cast<std::int16_t>(ControlType::abort) &&
                *type != static_cast<std::int16_t>(ControlType::commit))) {
    return std::nullopt;
  }
  if (load_big<std::int16_t>(record->value->data()) < 0) return std::nullopt;
  return EndMarker{.type = static_cast<ControlType>(*type),
                   .producer_id = batch.producer_id(),
                   .producer_epoch = batch.producer_epoch(),
                   .coordinator_epoch = load_big<std::int32_t>(record->value->data() + 2)};
}

}  // namespace tailwater::records
