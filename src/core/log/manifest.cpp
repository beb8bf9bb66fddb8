#include "core/log/manifest.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "core/log/log_state.hpp"

namespace tailwater::log {

namespace {

constexpr std::uint64_t kMagic = 0x464e4d4c49415754;  // "TWAILMNF"
constexpr std::uint32_t kVersion = 3;
constexpr std::size_t kCheckpointAt = 32;
constexpr std::size_t kHeaderSize = 56;
constexpr std::size_t kCrcSize = 4;

class Writer {
 public:
  explicit Writer(Buffer& out) : out_(out) {}
  template <class Number>
  void put(Number number) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof number);
    store_little(out_.data() + at, number);
  }
  void put(Offset offset) { put(offset.value); }
  void put(const std::string& text) {
    put(static_cast<std::uint16_t>(text.size()));
    const Bytes bytes = as_bytes(text);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }

 private:
  Buffer& out_;
};

// Reads forward; after the first number that is not there everything reads as zero and ok() says so.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && bytes_.empty(); }
  template <class Number>
  Number get() {
    if (!take(sizeof(Number))) return {};
    const Number number = load_little<Number>(taken_.data());
    return number;
  }
  Offset offset() { return Offset{get<std::int64_t>()}; }
  std::string text() {
    const auto size = get<std::uint16_t>();
    return take(size) ? std::string(as_text(taken_)) : std::string();
  }
  // A count of things that take at least `size` bytes each; more than can be there is a fault.
  std::uint32_t count(std::size_t size) {
    const auto number = get<std::uint32_t>();
    return within(number, size) ? number : 0;
  }
  bool within(std::uint32_t number, std::size_t size) {
    if (number > bytes_.size() / size) ok_ = false;
    return ok_;
  }

 private:
  bool take(std::size_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return false;
    }
    taken_ = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return true;
  }
  Bytes bytes_;
  Bytes taken_;
  bool ok_ = true;
};

void put_index(Writer& out, const IndexState& index) {
  out.put(index.entries);
  out.put(index.time_entries);
  out.put(index.until);
  out.put(index.last_position);
  out.put(index.last_time);
  out.put(index.max_timestamp);
  out.put(index.max_timestamp_offset);
}

IndexState get_index(Reader& in) {
  IndexState index;
  index.entries = in.get<std::uint32_t>();
  index.time_entries = in.get<std::uint32_t>();
  index.until = in.get<std::uint64_t>();
  index.last_position = in.get<std::uint64_t>();
  index.last_time = in.get<std::int64_t>();
  index.max_timestamp = in.get<std::int64_t>();
  index.max_timestamp_offset = in.offset();
  return index;
}

// Where there is no first timestamp, its place has the time since which there is none, as -2 and below.
std::int64_t first_time(const Segment& segment) {
  if (segment.first_timestamp >= 0) return segment.first_timestamp;
  return segment.untimed_since >= 0 ? -2 - segment.untimed_since : -1;
}

void set_first_time(Segment& segment, std::int64_t time) {
  segment.first_timestamp = std::max<std::int64_t>(time, -1);
  if (time <= -2) segment.untimed_since = -2 - time;
}

void put_segment(Writer& out, const Segment& segment) {
  out.put(segment.base);
  out.put(segment.next);
  out.put(segment.size);
  out.put(segment.flushed);
  out.put(first_time(segment));
  put_index(out, segment.index);
  put_index(out, segment.stored);
  const unsigned flags = (segment.exists ? 1u : 0u) | (segment.sealed ? 2u : 0u) | (segment.exact ? 4u : 0u) |
                         (segment.gapless ? 8u : 0u);
  out.put(static_cast<std::uint8_t>(flags));
}

Segment get_segment(Reader& in) {
  Segment segment;
  segment.base = in.offset();
  segment.next = in.offset();
  segment.size = in.get<std::uint64_t>();
  segment.flushed = in.get<std::uint64_t>();
  set_first_time(segment, in.get<std::int64_t>());
  segment.index = get_index(in);
  segment.stored = get_index(in);
  const auto flags = in.get<std::uint8_t>();
  segment.exists = (flags & 1u) != 0;
  segment.sealed = (flags & 2u) != 0;
  segment.exact = (flags & 4u) != 0;
  segment.gapless = (flags & 8u) != 0;
  return segment;
}

void put_producer(Writer& out, const Producer& producer) {
  out.put(producer.id.value);
  out.put(producer.epoch.value);
  out.put(producer.batch_count);
  out.put(producer.coordinator_epoch);
  out.put(producer.last_timestamp);
  out.put(producer.transaction_first);
  for (std::size_t each = 0; each < producer.batch_count; ++each) {
    const ProducerBatch& batch = producer.batches[each];
    out.put(batch.last_sequence);
    out.put(batch.offset_delta);
    out.put(batch.last_offset);
    out.put(batch.timestamp);
  }
}

bool get_producer(Reader& in, Producer& producer) {
  producer.id = ProducerId{in.get<std::int64_t>()};
  producer.epoch = ProducerEpoch{in.get<std::int16_t>()};
  producer.batch_count = in.get<std::uint8_t>();
  producer.coordinator_epoch = in.get<std::int32_t>();
  producer.last_timestamp = in.get<std::int64_t>();
  producer.transaction_first = in.offset();
  if (producer.batch_count > kBatchesKept) return false;
  for (std::size_t each = 0; each < producer.batch_count; ++each) {
    ProducerBatch& batch = producer.batches[each];
    batch.last_sequence = in.get<std::int32_t>();
    batch.offset_delta = in.get<std::int32_t>();
    batch.last_offset = in.offset();
    batch.timestamp = in.get<std::int64_t>();
  }
  return in.ok();
}

void put_log(Writer& out, const ManifestLog& log) {
  out.put(log.id.value);
  out.put(log.topic_id.high);
  out.put(log.topic_id.low);
  out.put(log.partition.value);
  out.put(log.topic);
  out.put(log.start);
  out.put(log.end);
  out.put(log.compacted);
  out.put(log.compaction_base);
  out.put(log.compaction_step);
  out.put(static_cast<std::uint32_t>(log.segments.size()));
  out.put(static_cast<std::uint32_t>(log.epochs.size()));
  out.put(static_cast<std::uint32_t>(log.producers.size()));
  out.put(static_cast<std::uint32_t>(log.aborted.size()));
  out.put(static_cast<std::uint32_t>(log.ended.size()));
  for (const Segment& segment : log.segments) put_segment(out, segment);
  for (const EpochEntry& entry : log.epochs) {
    out.put(entry.epoch.value);
    out.put(entry.start);
  }
  for (const Producer& producer : log.producers) put_producer(out, producer);
  for (const Aborted& aborted : log.aborted) {
    out.put(aborted.producer.value);
    out.put(aborted.first);
    out.put(aborted.last);
    out.put(aborted.last_stable);
  }
  for (const Ended& ended : log.ended) {
    out.put(ended.producer.value);
    out.put(ended.first);
    out.put(ended.marker);
  }
}

constexpr std::size_t kSegmentSize = 40 + 2 * 48 + 1;
constexpr std::size_t kEpochSize = 12;
constexpr std::size_t kProducerSize = 31;
constexpr std::size_t kAbortedSize = 32;
constexpr std::size_t kEndedSize = 24;

bool get_log(Reader& in, ManifestLog& log) {
  log.id = LogId{in.get<std::uint64_t>()};
  log.topic_id.high = in.get<std::uint64_t>();
  log.topic_id.low = in.get<std::uint64_t>();
  log.partition = PartitionId{in.get<std::int32_t>()};
  log.topic = in.text();
  log.start = in.offset();
  log.end = in.offset();
  log.compacted = in.offset();
  log.compaction_base = in.offset();
  log.compaction_step = in.get<std::uint8_t>();
  const auto segments = in.get<std::uint32_t>();
  const auto epochs = in.get<std::uint32_t>();
  const auto producers = in.get<std::uint32_t>();
  const auto aborted = in.get<std::uint32_t>();
  const auto ended = in.get<std::uint32_t>();
  const bool plausible = in.within(segments, kSegmentSize) && in.within(epochs, kEpochSize) &&
                         in.within(producers, kProducerSize) && in.within(aborted, kAbortedSize) &&
                         in.within(ended, kEndedSize);
  if (!plausible || segments == 0) return false;
  for (std::uint32_t each = 0; each < segments; ++each) log.segments.push_back(get_segment(in));
  for (std::uint32_t each = 0; each < epochs; ++each) {
    const LeaderEpoch epoch{in.get<std::int32_t>()};
    log.epochs.push_back({epoch, in.offset()});
  }
  log.producers.resize(producers);
  for (Producer& producer : log.producers) {
    if (!get_producer(in, producer)) return false;
  }
  for (std::uint32_t each = 0; each < aborted; ++each) {
    Aborted entry;
    entry.producer = ProducerId{in.get<std::int64_t>()};
    entry.first = in.offset();
    entry.last = in.offset();
    entry.last_stable = in.offset();
    log.aborted.push_back(entry);
  }
  for (std::uint32_t each = 0; each < ended; ++each) {
    Ended entry;
    entry.producer = ProducerId{in.get<std::int64_t>()};
    entry.first = in.offset();
    entry.marker = in.offset();
    log.ended.push_back(entry);
  }
  return in.ok();
}

// Whether the segments can be those of one log.
bool sound(const ManifestLog& log) {
  for (std::size_t each = 0; each < log.segments.size(); ++each) {
    const Segment& segment = log.segments[each];
    const bool last = each + 1 == log.segments.size();
    if (segment.flushed > segment.size || segment.next < segment.base || segment.base.value < 0) return false;
    if (segment.sealed == last) return false;
    if (!last && log.segments[each + 1].base < segment.next) return false;
  }
  if (log.compaction_step > static_cast<std::uint8_t>(CompactionStep::swapped)) return false;
  return log.segments.back().next <= log.end && log.start <= log.end && !log.topic.empty();
}

}  // namespace

Buffer encode(const Manifest& manifest) {
  Buffer bytes;
  Writer out(bytes);
  out.put(kMagic);
  out.put(kVersion);
  out.put(std::uint32_t{0});
  out.put(manifest.generation);
  out.put(manifest.journal_id);
  out.put(manifest.checkpoint.value);
  out.put(manifest.next_log_id);
  out.put(static_cast<std::uint32_t>(manifest.logs.size()));
  out.put(static_cast<std::uint32_t>(manifest.doomed.size()));
  CHECK(bytes.size() == kHeaderSize);
  for (const ManifestLog& log : manifest.logs) put_log(out, log);
  for (const DoomedPath& doomed : manifest.doomed) {
    out.put(doomed.log.value);
    out.put(static_cast<std::uint8_t>((doomed.folder ? 1u : 0u) | (doomed.renamed ? 2u : 0u)));
    out.put(doomed.path);
    out.put(doomed.new_path);
  }
  out.put(crc32c(bytes));
  const std::size_t size = bytes.size();
  bytes.resize(2 * size);
  std::copy_n(bytes.begin(), size, bytes.begin() + static_cast<std::ptrdiff_t>(size));
  return bytes;
}

void seal(Buffer& encoded, Lsn checkpoint) {
  const std::size_t size = encoded.size() / 2;
  CHECK(size >= kHeaderSize + kCrcSize);
  store_little(encoded.data() + kCheckpointAt, checkpoint.value);
  const std::size_t content = size - kCrcSize;
  store_little(encoded.data() + content, crc32c(Bytes(encoded).first(content)));
  std::copy_n(encoded.begin(), size, encoded.begin() + static_cast<std::ptrdiff_t>(size));
}

namespace {

Result<Manifest> decode_copy(Bytes bytes) {
  if (bytes.size() < kHeaderSize + kCrcSize) return fail(Errc::truncated, "the manifest is cut short");
  const std::size_t content = bytes.size() - kCrcSize;
  if (load_little<std::uint32_t>(bytes.data() + content) != crc32c(bytes.first(content))) {
    return fail(Errc::corrupt, "the manifest's checksum does not match");
  }
  Reader in(bytes.first(content));
  const auto magic = in.get<std::uint64_t>();
  const auto version = in.get<std::uint32_t>();
  in.get<std::uint32_t>();
  if (magic != kMagic) return fail(Errc::malformed, "this is no manifest");
  if (version != kVersion)
    return fail(Errc::unsupported, "the manifest is of version " + std::to_string(version));
  Manifest manifest;
  manifest.generation = in.get<std::uint64_t>();
  manifest.journal_id = in.get<std::uint64_t>();
  manifest.checkpoint = Lsn{in.get<std::uint64_t>()};
  manifest.next_log_id = in.get<std::uint64_t>();
  const auto logs = in.get<std::uint32_t>();
  const auto doomed = in.get<std::uint32_t>();
  if (!in.within(logs, 77) || !in.within(doomed, 13))
    return fail(Errc::malformed, "the manifest's counts are wrong");
  manifest.logs.resize(logs);
  for (ManifestLog& log : manifest.logs) {
    if (!get_log(in, log) || !sound(log)) return fail(Errc::malformed, "the manifest contradicts itself");
  }
  for (std::uint32_t each = 0; each < doomed; ++each) {
    DoomedPath path;
    path.log = LogId{in.get<std::uint64_t>()};
    const auto flags = in.get<std::uint8_t>();
    path.folder = (flags & 1u) != 0;
    path.renamed = (flags & 2u) != 0;
    path.path = in.text();
    path.new_path = in.text();
    manifest.doomed.push_back(std::move(path));
  }
  if (!in.at_end()) return fail(Errc::malformed, "the manifest's length is wrong");
  return manifest;
}

}  // namespace

Result<Manifest> decode_manifest(Bytes bytes) {
  const Bytes first = bytes.first(bytes.size() / 2);
  const Bytes second = bytes.subspan(first.size());
  const bool same = std::equal(first.begin(), first.end(), second.begin(), second.end());
  Result<Manifest> decoded = decode_copy(first);
  if (!decoded) {
    Result<Manifest> other = decode_copy(second);
    if (other) decoded = std::move(other);
  }
  if (decoded) decoded->healed = !same;
  return decoded;
}

}  // namespace tailwater::log
