// Walking Fetch requests and writing their responses. The layout is that of schema/api/fetch.txt.
#include "wire/fetch_stream.hpp"

#include "base/check.hpp"
#include "wire/api/fetch.hpp"
#include "wire/codec.hpp"
#include "wire/frame.hpp"
#include "wire/header.hpp"

namespace tailwater::wire {

namespace {

// The fewest bytes of an element in any version: what makes a count believable.
constexpr std::size_t kTopicBytes = 3;
constexpr std::size_t kPartitionBytes = 16;
constexpr std::size_t kForgottenPartitionBytes = 4;

bool flexible(std::int16_t version) {
  return version >= FetchRequest::kFirstFlexible;
}

std::size_t count_of(Reader& reader, Form form, std::size_t item_bytes) {
  return static_cast<std::size_t>(reader.array_count(form, Null::refused, item_bytes, 0));
}

}  // namespace

FetchReader::FetchReader(Bytes body, std::int16_t version)
    : version_(version),
      form_(form_if(flexible(version))),
      first_topic_(body),
      first_forgotten_(body),
      wanted_{Reader(body)},
      forgotten_{Reader(body)} {}

Result<FetchReader> FetchReader::open(Bytes body, std::int16_t version) {
  if (!speaks<FetchRequest>(version)) return refuse_version(FetchRequest::kName, version);
  FetchReader request(body, version);
  Reader reader(body);
  request.read_head(reader);
  request.start(request.wanted_, reader, request.head_.topics);
  request.first_topic_ = reader;
  while (request.next_topic()) {
    while (request.next_partition()) ++request.head_.partitions;
  }
  reader = request.wanted_.reader;
  if (version >= 7) request.head_.forgotten_topics = count_of(reader, request.form_, kTopicBytes);
  request.first_forgotten_ = reader;
  request.start(request.forgotten_, reader, request.head_.forgotten_topics);
  while (request.next_forgotten_topic()) {
    while (request.next_forgotten_partition()) {
    }
  }
  reader = request.forgotten_.reader;
  request.read_tail(reader);
  if (const auto outcome = finish_decode(reader, FetchRequest::kName, version); !outcome) {
    return std::unexpected(outcome.error());
  }
  request.rewind();
  return request;
}

void FetchReader::read_head(Reader& reader) {
  if (version_ <= 14) head_.replica_id = reader.int32();
  head_.max_wait_ms = reader.int32();
  head_.min_bytes = reader.int32();
  head_.max_bytes = reader.int32();
  head_.isolation_level = reader.int8();
  if (version_ >= 7) {
    head_.session_id = reader.int32();
    head_.session_epoch = reader.int32();
  }
  head_.topics = count_of(reader, form_, kTopicBytes);
}

void FetchReader::read_tail(Reader& reader) {
  if (version_ >= 11) head_.rack_id = reader.text(form_);
  if (form_ == Form::plain) return;
  for (TagReader tags(reader); tags.next();) {
    if (tags.tag() == 0) head_.cluster_id = reader.nullable_text(form_);
    if (tags.tag() == 1 && version_ >= 15) read_replica_state(reader);
  }
}

void FetchReader::read_replica_state(Reader& reader) {
  head_.replica_id = reader.int32();
  head_.replica_epoch = reader.int64();
  reader.skip_tags();
}

void FetchReader::start(Walk& walk, const Reader& at, std::size_t topics) const {
  walk.reader = at;
  walk.topics_left = topics;
  walk.partitions_left = 0;
  walk.in_topic = false;
}

void FetchReader::rewind() {
  start(wanted_, first_topic_, head_.topics);
  start(forgotten_, first_forgotten_, head_.forgotten_topics);
}

bool FetchReader::open_topic(Walk& walk, std::size_t partition_bytes) {
  if (walk.topics_left == 0 || !walk.reader.ok()) return false;
  --walk.topics_left;
  walk.in_topic = true;
  if (version_ <= 12) {
    topic_name_ = walk.reader.text(form_);
  } else {
    topic_id_ = walk.reader.uuid();
  }
  walk.partitions_left = count_of(walk.reader, form_, partition_bytes);
  return walk.reader.ok();
}

void FetchReader::close_topic(Walk& walk) const {
  if (walk.in_topic && form_ == Form::compact) walk.reader.skip_tags();
  walk.in_topic = false;
}

bool FetchReader::next_topic() {
  while (next_partition()) {
  }
  close_topic(wanted_);
  return open_topic(wanted_, kPartitionBytes);
}

bool FetchReader::next_partition() {
  Reader& reader = wanted_.reader;
  if (wanted_.partitions_left == 0 || !reader.ok()) return false;
  --wanted_.partitions_left;
  partition_ = {};
  partition_.index = reader.int32();
  if (version_ >= 9) partition_.current_leader_epoch = reader.int32();
  partition_.fetch_offset = reader.int64();
  if (version_ >= 12) partition_.last_fetched_epoch = reader.int32();
  if (version_ >= 5) partition_.log_start_offset = reader.int64();
  partition_.partition_max_bytes = reader.int32();
  if (form_ == Form::compact) read_partition_tags(reader);
  return reader.ok();
}

void FetchReader::read_partition_tags(Reader& reader) {
  for (TagReader tags(reader); tags.next();) {
    if (tags.tag() == 0 && version_ >= 17) partition_.replica_directory_id = reader.uuid();
    if (tags.tag() == 1 && version_ >= 18) partition_.high_watermark = reader.int64();
  }
}

bool FetchReader::next_forgotten_topic() {
  while (next_forgotten_partition()) {
  }
  close_topic(forgotten_);
  return open_topic(forgotten_, kForgottenPartitionBytes);
}

bool FetchReader::next_forgotten_partition() {
  if (forgotten_.partitions_left == 0 || !forgotten_.reader.ok()) return false;
  --forgotten_.partitions_left;
  forgotten_partition_ = forgotten_.reader.int32();
  return forgotten_.reader.ok();
}

FetchResponseWriter::FetchResponseWriter(Buffer& headers, std::vector<FetchPiece>& pieces,
                                         std::int16_t version, const Head& head)
    : headers_(headers),
      pieces_(pieces),
      frame_(begin_frame(headers)),
      piece_begin_(frame_),
      writer_(headers),
      version_(version),
      form_(form_if(flexible(version))),
      topics_left_(head.topics) {
  CHECK(speaks<FetchResponse>(version));
  encode_response_header(writer_, ApiKey::fetch, version, head.correlation_id);
  writer_.int32(head.throttle_time_ms);
  if (version >= 7) {
    writer_.error_code(head.error);
    writer_.int32(head.session_id);
  }
  writer_.array_count(head.topics, form_);
}

void FetchResponseWriter::topic(std::string_view name, const Uuid& id, std::size_t partitions) {
  close_topic();
  CHECK(topics_left_ > 0);
  --topics_left_;
  in_topic_ = true;
  partitions_left_ = partitions;
  if (version_ <= 12) {
    writer_.string(name, form_);
  } else {
    writer_.uuid(id);
  }
  writer_.array_count(partitions, form_);
}

void FetchResponseWriter::partition(const FetchOutcome& outcome, std::size_t record_bytes) {
  close_partition();
  CHECK(partitions_left_ > 0);
  --partitions_left_;
  in_partition_ = true;
  outcome_ = outcome;
  outcome_.aborted.reset();
  record_bytes_left_ = record_bytes;
  payload_bytes_ += record_bytes;
  writer_.int32(outcome.partition);
  writer_.error_code(outcome.error);
  writer_.int64(outcome.high_watermark);
  writer_.int64(outcome.last_stable_offset);
  if (version_ >= 5) writer_.int64(outcome.log_start_offset);
  if (outcome.aborted) {
    writer_.array_count(outcome.aborted->size(), form_);
    for (const FetchAbortedTransaction& transaction : *outcome.aborted) {
      writer_.int64(transaction.producer_id);
      writer_.int64(transaction.first_offset);
      if (form_ == Form::compact) writer_.no_tags();
    }
  } else {
    writer_.null_array(form_);
  }
  if (version_ >= 11) writer_.int32(outcome.preferred_read_replica);
  writer_.array_count(record_bytes, form_);
}

void FetchResponseWriter::payload(Bytes records) {
  CHECK(in_partition_);
  CHECK(records.size() <= record_bytes_left_);
  if (records.empty()) return;
  record_bytes_left_ -= records.size();
  pieces_.push_back({piece_begin_, headers_.size(), records});
  piece_begin_ = headers_.size();
}

void FetchResponseWriter::close_partition() {
  CHECK(record_bytes_left_ == 0);
  if (!in_partition_) return;
  in_partition_ = false;
  if (form_ == Form::plain) return;
  const bool diverges = outcome_.diverging_epoch != -1 || outcome_.diverging_end_offset != -1;
  const bool has_leader = outcome_.leader_id != -1 || outcome_.leader_epoch != -1;
  writer_.tag_count({diverges, has_leader});
  if (diverges) {
    const std::size_t begin = writer_.begin_tag(0);
    writer_.int32(outcome_.diverging_epoch);
    writer_.int64(outcome_.diverging_end_offset);
    writer_.no_tags();
    writer_.end_tag(begin);
  }
  if (has_leader) {
    const std::size_t begin = writer_.begin_tag(1);
    writer_.int32(outcome_.leader_id);
    writer_.int32(outcome_.leader_epoch);
    writer_.no_tags();
    writer_.end_tag(begin);
  }
}

void FetchResponseWriter::close_topic() {
  close_partition();
  CHECK(partitions_left_ == 0);
  if (in_topic_ && form_ == Form::compact) writer_.no_tags();
  in_topic_ = false;
}

std::size_t FetchResponseWriter::finish(std::span<const NodeEndpointView> endpoints) {
  close_topic();
  CHECK(topics_left_ == 0);
  if (form_ == Form::compact) {
    write_node_endpoints(writer_, version_ >= 16 ? endpoints : std::span<const NodeEndpointView>{});
  }
  end_frame(headers_, frame_, payload_bytes_);
  if (piece_begin_ < headers_.size()) pieces_.push_back({piece_begin_, headers_.size(), {}});
  return headers_.size() - frame_ + payload_bytes_;
}

void gather(const Buffer& headers, std::span<const FetchPiece> pieces, std::vector<Bytes>& out) {
  for (const FetchPiece& piece : pieces) {
    const Bytes header = Bytes(headers).subspan(piece.header_begin, piece.header_end - piece.header_begin);
    if (!header.empty()) out.push_back(header);
    if (!piece.payload.empty()) out.push_back(piece.payload);
  }
}

}  // namespace tailwater::wire
