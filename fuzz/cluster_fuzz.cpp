// Whatever a changelog says, its reader refuses it or makes an image of it that survives a snapshot; whatever
// a client asks of the controller, it is answered, and what was granted can be stored and read; whatever
// server.properties says, it is parsed or refused. The first byte chooses among the three.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.hpp"
#include "core/cluster/changelog.hpp"
#include "core/cluster/decide.hpp"
#include "wire/reader.hpp"

namespace {

using namespace tailwater;
using namespace tailwater::cluster;

ImageHandle make_started() {
  Draft draft(BrokerId{1}, parse_broker_config({}).config, std::make_shared<const MetadataImage>(), 1);
  decide_bootstrap(draft, "cluster");
  std::vector<Registration> brokers;
  for (std::int32_t id = 1; id <= 3; ++id) {
    brokers.push_back(
        {BrokerId{id}, id, Uuid{1, 1}, std::nullopt, {}, {Uuid{2, static_cast<std::uint64_t>(id)}}});
  }
  decide_brokers(draft, brokers);
  decide_ensure_topics(draft, {"t", "u.v", "w"});
  return draft.image_handle();
}

// Made at the first use: it needs constants of other files.
const ImageHandle& started() {
  static const ImageHandle image = make_started();
  return image;
}

void survives_a_snapshot(const MetadataImage& image) {
  const std::vector<Buffer> chunks = write_snapshot(image, 2000);
  const Result<ImageHandle> read = read_snapshot({image.version, chunks});
  CHECK(read.has_value());
  CHECK(write_snapshot(**read, 2000) == chunks);
}

// Records, each after a byte of its length, without the checksum that would stop the fuzzer.
void read_records(Bytes bytes) {
  ImageEditor editor(*started());
  while (!bytes.empty()) {
    const std::size_t size = std::min<std::size_t>(static_cast<std::size_t>(bytes[0]), bytes.size() - 1);
    const Result<Record> record = decode_record(bytes.subspan(1, size));
    if (!record || !editor.apply(*record)) return;
    bytes = bytes.subspan(1 + size);
  }
  survives_a_snapshot(*editor.finish(MetadataVersion{9}, {}));
}

template <class Request>
void ask(Draft& draft, wire::Reader& reader) {
  Request request;
  if (!decode(reader, Request::kMaxVersion, request)) return;
  // A topic of 100,000 partitions teaches the fuzzer nothing and takes its time.
  if constexpr (requires { request.topics.front().num_partitions; }) {
    for (auto& topic : request.topics) topic.num_partitions = std::min(topic.num_partitions, 20);
  }
  if constexpr (requires { request.topics.front().count; }) {
    for (auto& topic : request.topics) topic.count = std::min(topic.count, 30);
  }
  decide(draft, request);
}

// Requests, each after a byte that says which it is.
void answer_requests(Bytes bytes) {
  Draft draft(BrokerId{1}, parse_broker_config({}).config, started(), 1);
  wire::Reader reader(bytes, 1U << 20);
  while (reader.ok() && reader.remaining() > 0) {
    switch (static_cast<std::uint8_t>(reader.int8()) % 8) {
      case 0:
        ask<wire::CreateTopicsRequest>(draft, reader);
        break;
      case 1:
        ask<wire::DeleteTopicsRequest>(draft, reader);
        break;
      case 2:
        ask<wire::CreatePartitionsRequest>(draft, reader);
        break;
      case 3:
        ask<wire::AlterConfigsRequest>(draft, reader);
        break;
      case 4:
        ask<wire::IncrementalAlterConfigsRequest>(draft, reader);
        break;
      case 5:
        ask<wire::ElectLeadersRequest>(draft, reader);
        break;
      case 6:
        ask<wire::AlterPartitionRequest>(draft, reader);
        break;
      case 7:
        ask<wire::AlterPartitionReassignmentsRequest>(draft, reader);
        break;
    }
  }
  ImageEditor editor(*started());
  for (const Buffer& frame : draft.take_frames()) {
    const Result<Record> record = decode_record(frame);
    CHECK(record.has_value());
    CHECK(editor.apply(*record).has_value());
  }
  const ImageHandle image = editor.finish(draft.image().version, {});
  CHECK(write_snapshot(*image) == write_snapshot(draft.image()));
  survives_a_snapshot(draft.image());
}

// Lines of key=value.
void parse_properties(std::string_view text) {
  ConfigValues properties;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t equals = std::min(line.find('='), line.size());
    properties[std::string(line.substr(0, equals))] = line.substr(std::min(equals + 1, line.size()));
  }
  const ParsedBrokerConfig parsed = parse_broker_config(properties);
  describe_broker_values(parsed.config, *started(), BrokerId{1});
  describe_topic_values(properties, parsed.config, *started(), BrokerId{1});
  effective_topic_config(properties, parsed.config);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      read_records(bytes);
      break;
    case 1:
      answer_requests(bytes);
      break;
    case 2:
      parse_properties(as_text(bytes));
      break;
  }
  return 0;
}
