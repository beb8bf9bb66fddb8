// Walking Produce requests and writing their responses. The layout is that of schema/api/produce.txt.
#include "wire/produce_stream.hpp"

#include "base/check.hpp"
#include "wire/api/produce.hpp"
#include "wire/codec.hpp"
#include "wire/frame.hpp"
#include "wire/header.hpp"

namespace tailwater::wire {

namespace {

// The fewest bytes of a topic and of a partition in any version: what makes a count believable.
constexpr std::size_t kTopicBytes = 3;
constexpr std::size_t kPartitionBytes = 6;

bool flexible(std::int16_t version) {
  return version >= ProduceRequest::kFirstFlexible;
}

std::size_t count_of(Reader& reader, Form form, std::size_t item_bytes) {
  return static_cast<std::size_t>(reader.array_count(form, Null::refused, item_bytes, 0));
}

}  // namespace

ProduceReader::ProduceReader(Bytes body, std::int16_t version)
    : reader_(body), first_topic_(body), version_(version), form_(form_if(flexible(version))) {}

Result<ProduceReader> ProduceReader::open(Bytes body, std::int16_t version) {
  if (!speaks<ProduceRequest>(version)) return refuse_version(ProduceRequest::kName, version);
  ProduceReader request(body, version);
  request.read_head();
  while (request.next_topic()) {
    while (request.next_partition()) {
      ++request.partitions_;
      request.record_bytes_ += request.partition_.records.value_or(Bytes{}).size();
    }
  }
  if (request.form_ == Form::compact) request.reader_.skip_tags();
  if (const auto outcome = finish_decode(request.reader_, ProduceRequest::kName, version); !outcome) {
    return std::unexpected(outcome.error());
  }
  request.rewind();
  return request;
}

void ProduceReader::read_head() {
  transactional_id_ = reader_.nullable_text(form_);
  acks_ = reader_.int16();
  timeout_ms_ = reader_.int32();
  topics_ = count_of(reader_, form_, kTopicBytes);
  topics_left_ = topics_;
  first_topic_ = reader_;
}

void ProduceReader::rewind() {
  reader_ = first_topic_;
  topics_left_ = topics_;
  partitions_left_ = 0;
  in_topic_ = false;
}

void ProduceReader::close_topic() {
  while (next_partition()) {
  }
  if (in_topic_ && form_ == Form::compact) reader_.skip_tags();
  in_topic_ = false;
}

bool ProduceReader::next_topic() {
  close_topic();
  if (topics_left_ == 0 || !reader_.ok()) return false;
  --topics_left_;
  in_topic_ = true;
  if (version_ <= 12) {
    topic_name_ = reader_.text(form_);
  } else {
    topic_id_ = reader_.uuid();
  }
  topic_partitions_ = count_of(reader_, form_, kPartitionBytes);
  partitions_left_ = topic_partitions_;
  return reader_.ok();
}

bool ProduceReader::next_partition() {
  if (partitions_left_ == 0 || !reader_.ok()) return false;
  --partitions_left_;
  partition_.index = reader_.int32();
  partition_.records = reader_.nullable_span(form_);
  if (form_ == Form::compact) reader_.skip_tags();
  return reader_.ok();
}

ProduceResponseWriter::ProduceResponseWriter(Buffer& to, std::int16_t version, std::int32_t correlation_id,
                                             std::size_t topics)
    : to_(to),
      frame_(begin_frame(to)),
      writer_(to),
      version_(version),
      form_(form_if(flexible(version))),
      topics_left_(topics) {
  CHECK(speaks<ProduceResponse>(version));
  encode_response_header(writer_, ApiKey::produce, version, correlation_id);
  writer_.array_count(topics, form_);
}

void ProduceResponseWriter::close_topic() {
  CHECK(partitions_left_ == 0);
  if (in_topic_ && form_ == Form::compact) writer_.no_tags();
  in_topic_ = false;
}

void ProduceResponseWriter::topic(std::string_view name, const Uuid& id, std::size_t partitions) {
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

void ProduceResponseWriter::partition(const ProduceOutcome& outcome) {
  CHECK(partitions_left_ > 0);
  --partitions_left_;
  writer_.int32(outcome.partition);
  writer_.error_code(outcome.error);
  writer_.int64(outcome.base_offset);
  writer_.int64(outcome.log_append_time_ms);
  if (version_ >= 5) writer_.int64(outcome.log_start_offset);
  if (version_ >= 8) {
    writer_.array_count(outcome.record_errors.size(), form_);
    for (const ProduceRecordError& error : outcome.record_errors) {
      writer_.int32(error.batch_index);
      writer_.nullable_string(error.message, form_);
      if (form_ == Form::compact) writer_.no_tags();
    }
    writer_.nullable_string(outcome.error_message, form_);
  }
  if (form_ == Form::plain) return;
  const bool has_leader = version_ >= 10 && (outcome.leader_id != -1 || outcome.leader_epoch != -1);
  writer_.tag_count({has_leader});
  if (!has_leader) return;
  const std::size_t begin = writer_.begin_tag(0);
  writer_.int32(outcome.leader_id);
  writer_.int32(outcome.leader_epoch);
  writer_.no_tags();
  writer_.end_tag(begin);
}

void ProduceResponseWriter::finish(std::int32_t throttle_time_ms,
                                   std::span<const NodeEndpointView> endpoints) {
  close_topic();
  CHECK(topics_left_ == 0);
  writer_.int32(throttle_time_ms);
  if (form_ == Form::compact) {
    write_node_endpoints(writer_, version_ >= 10 ? endpoints : std::span<const NodeEndpointView>{});
  }
  end_frame(to_, frame_);
}

void write_node_endpoints(Writer& writer, std::span<const NodeEndpointView> endpoints) {
  writer.tag_count({!endpoints.empty()});
  if (endpoints.empty()) return;
  const std::size_t begin = writer.begin_tag(0);
  writer.array_count(endpoints.size(), Form::compact);
  for (const NodeEndpointView& endpoint : endpoints) {
    writer.int32(endpoint.node_id);
    writer.string(endpoint.host, Form::compact);
    writer.int32(endpoint.port);
    writer.nullable_string(endpoint.rack, Form::compact);
    writer.no_tags();
  }
  writer.end_tag(begin);
}

}  // namespace tailwater::wire
