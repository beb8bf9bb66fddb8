// Framing of metadata records and batches. The kinds are found by walking the variant's alternatives, so a
// kind that is added to Record is encoded and decoded without a further line here.
#include "core/cluster/records.hpp"

#include <optional>
#include <utility>

#include "base/crc32c.hpp"
#include "base/varint.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace tailwater::cluster {

// The codecs of our own kinds have the form of the generated ones, so that templates find both by their
// arguments.
static void encode(wire::Writer& writer, std::int16_t, const ClusterRecord& record) {
  writer.string(record.cluster_id, wire::Form::compact);
  writer.no_tags();
}

static Result<void> check(const wire::Reader& reader) {
  if (reader.ok()) return {};
  return fail(Errc::corrupt, "a metadata record ends before its last field does");
}

static Result<void> decode(wire::Reader& reader, std::int16_t, ClusterRecord& record) {
  record.cluster_id = reader.string(wire::Form::compact);
  reader.skip_tags();
  return check(reader);
}

static void encode(wire::Writer& writer, std::int16_t, const ReplicaLogsRecord& record) {
  Buffer deltas;
  std::uint64_t before = 0;
  for (const std::uint64_t log : record.logs) {
    std::byte bytes[kVarlongMaxBytes];
    const std::size_t size = write_uvarint(bytes, zigzag(static_cast<std::int64_t>(log - before)));
    deltas.insert(deltas.end(), bytes, bytes + size);
    before = log;
  }
  writer.uuid(record.topic_id);
  writer.int32(record.first_partition);
  writer.bytes(deltas, wire::Form::compact);
  writer.no_tags();
}

static Result<void> decode(wire::Reader& reader, std::int16_t, ReplicaLogsRecord& record) {
  record.topic_id = reader.uuid();
  record.first_partition = reader.int32();
  Bytes deltas = reader.span(wire::Form::compact);
  reader.skip_tags();
  std::uint64_t before = 0;
  while (!deltas.empty()) {
    std::uint64_t delta = 0;
    const std::size_t size = read_uvarint(deltas, delta);
    if (size == 0) return fail(Errc::corrupt, "a metadata record has a log id that does not end");
    before += static_cast<std::uint64_t>(unzigzag(delta));
    record.logs.push_back(before);
    deltas = deltas.subspan(size);
  }
  return check(reader);
}

static void encode(wire::Writer& writer, std::int16_t, const HighMarksRecord& record) {
  writer.int64(record.next_log_id);
  writer.no_tags();
}

static Result<void> decode(wire::Reader& reader, std::int16_t, HighMarksRecord& record) {
  record.next_log_id = reader.int64();
  reader.skip_tags();
  return check(reader);
}

namespace {

constexpr std::uint8_t kBatchFormat = 1;
constexpr std::uint64_t kFrameVersion = 1;
constexpr std::size_t kCrcEnd = 5;
constexpr std::size_t kHeadSize = 21;

template <class Number>
void append_big(Buffer& to, Number number) {
  std::byte bytes[sizeof(Number)];
  store_big(bytes, number);
  to.insert(to.end(), bytes, bytes + sizeof(Number));
}

void append_uvarint(Buffer& to, std::uint64_t number) {
  std::byte bytes[kVarlongMaxBytes];
  to.insert(to.end(), bytes, bytes + write_uvarint(bytes, number));
}

std::optional<std::uint64_t> take_uvarint(Bytes& from) {
  std::uint64_t number = 0;
  const std::size_t size = read_uvarint(from, number);
  if (size == 0) return std::nullopt;
  from = from.subspan(size);
  return number;
}

template <class Kind>
Result<Record> decode_kind(Bytes body, std::uint64_t version) {
  if (version > static_cast<std::uint64_t>(Kind::kMaxVersion)) {
    return fail(Errc::unsupported, "the metadata has a record of kind " + std::to_string(Kind::kRecordKey) +
                                       " in version " + std::to_string(version) +
                                       ", written by a newer release");
  }
  wire::Reader reader(body);
  Kind record;
  const Result<void> decoded = decode(reader, static_cast<std::int16_t>(version), record);
  if (!decoded) return fail(Errc::corrupt, decoded.error().message);
  if (reader.remaining() != 0) return fail(Errc::corrupt, "a metadata record has bytes after its last field");
  return Record(std::move(record));
}

template <std::size_t... At>
Result<Record> decode_any(std::uint64_t key, std::uint64_t version, Bytes body, std::index_sequence<At...>) {
  std::optional<Result<Record>> decoded;
  const auto try_kind = [&]<class Kind>(std::in_place_type_t<Kind>) {
    if (!decoded && key == static_cast<std::uint64_t>(Kind::kRecordKey))
      decoded = decode_kind<Kind>(body, version);
  };
  (try_kind(std::in_place_type<std::variant_alternative_t<At, Record>>), ...);
  if (decoded) return *std::move(decoded);
  return fail(Errc::unsupported, "the metadata has a record of the unknown kind " + std::to_string(key) +
                                     ", written by a newer release");
}

struct BatchHead {
  BatchAuthor author;
  Bytes records;  // count and frames
};

Result<BatchHead> read_head(Bytes bytes) {
  if (bytes.size() < kHeadSize) return fail(Errc::corrupt, "a metadata entry is shorter than its head");
  if (static_cast<std::uint8_t>(bytes[0]) != kBatchFormat) {
    return fail(Errc::unsupported,
                "a metadata entry has the unknown format " + std::to_string(static_cast<unsigned>(bytes[0])));
  }
  if (load_big<std::uint32_t>(bytes.data() + 1) != crc32c(bytes.subspan(kCrcEnd))) {
    return fail(Errc::corrupt, "the checksum of a metadata entry does not match");
  }
  BatchHead head;
  head.author.controller = BrokerId{load_big<std::int32_t>(bytes.data() + 5)};
  head.author.epoch = ControllerEpoch{load_big<std::int32_t>(bytes.data() + 9)};
  head.author.nonce = load_big<std::uint64_t>(bytes.data() + 13);
  head.records = bytes.subspan(kHeadSize);
  return head;
}

}  // namespace

Buffer encode_record(const Record& record) {
  Buffer frame;
  std::visit(
      [&]<class Kind>(const Kind& value) {
        append_uvarint(frame, kFrameVersion);
        append_uvarint(frame, static_cast<std::uint64_t>(Kind::kRecordKey));
        append_uvarint(frame, static_cast<std::uint64_t>(Kind::kMaxVersion));
        wire::Writer writer(frame);
        encode(writer, Kind::kMaxVersion, value);
      },
      record);
  return frame;
}

Result<Record> decode_record(Bytes frame) {
  const auto frame_version = take_uvarint(frame);
  const auto key = take_uvarint(frame);
  const auto version = take_uvarint(frame);
  if (!frame_version || !key || !version)
    return fail(Errc::corrupt, "a metadata record is shorter than its head");
  if (*frame_version != kFrameVersion) {
    return fail(Errc::unsupported,
                "a metadata record has the unknown frame version " + std::to_string(*frame_version));
  }
  return decode_any(*key, *version, frame, std::make_index_sequence<std::variant_size_v<Record>>{});
}

void BatchBuilder::add(Bytes frame) {
  append_uvarint(frames_, frame.size());
  frames_.insert(frames_.end(), frame.begin(), frame.end());
  ++count_;
}

Buffer BatchBuilder::finish(const BatchAuthor& author) {
  Buffer batch;
  batch.reserve(size());
  batch.push_back(static_cast<std::byte>(kBatchFormat));
  append_big(batch, std::uint32_t{0});
  append_big(batch, author.controller.value);
  append_big(batch, author.epoch.value);
  append_big(batch, author.nonce);
  append_uvarint(batch, count_);
  batch.insert(batch.end(), frames_.begin(), frames_.end());
  store_big(batch.data() + 1, crc32c(Bytes(batch).subspan(kCrcEnd)));
  frames_.clear();
  count_ = 0;
  return batch;
}

Buffer encode_batch(const RecordBatch& batch) {
  BatchBuilder builder;
  for (const Record& record : batch.records) builder.add(encode_record(record));
  return builder.finish(batch.author);
}

Result<RecordBatch> decode_batch(Bytes bytes) {
  const Result<BatchHead> head = read_head(bytes);
  if (!head) return std::unexpected(head.error());
  RecordBatch batch{head->author, {}};
  Bytes rest = head->records;
  const auto count = take_uvarint(rest);
  if (!count) return fail(Errc::corrupt, "a metadata entry does not say how many records it has");
  for (std::uint64_t at = 0; at < *count; ++at) {
    const auto size = take_uvarint(rest);
    if (!size || *size > rest.size())
      return fail(Errc::corrupt, "a metadata entry ends before its last record does");
    Result<Record> record = decode_record(rest.first(static_cast<std::size_t>(*size)));
    if (!record) return std::unexpected(record.error());
    batch.records.push_back(*std::move(record));
    rest = rest.subspan(static_cast<std::size_t>(*size));
  }
  if (!rest.empty()) return fail(Errc::corrupt, "a metadata entry has bytes after its last record");
  return batch;
}

Result<BatchAuthor> author_of(Bytes bytes) {
  const Result<BatchHead> head = read_head(bytes);
  if (!head) return std::unexpected(head.error());
  return head->author;
}

}  // namespace tailwater::cluster
