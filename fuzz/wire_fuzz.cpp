// Fuzzes every decoder of wire. The first two bytes choose a message and a version, or the path of a received
// frame; the rest is what a peer sent. What decodes must encode to bytes that decode to the same again; the
// streaming readers of Produce and Fetch must accept exactly what the struct decoders accept.
#include <cstdlib>

#include "base/check.hpp"
#include "wire/api/fetch.hpp"
#include "wire/api/produce.hpp"
#include "wire/example/example.hpp"
#include "wire/fetch_stream.hpp"
#include "wire/frame.hpp"
#include "wire/header.hpp"
#include "wire/produce_stream.hpp"

namespace tailwater::wire {
namespace {

struct Choice {
  const Example* example;
  std::int16_t version;
};

std::vector<Choice> all_choices() {
  std::vector<Choice> choices;
  for (const Example* example : all_examples()) {
    for (int version = example->min_version; version <= example->max_version; ++version) {
      choices.push_back({example, static_cast<std::int16_t>(version)});
    }
  }
  return choices;
}

void check_produce(Bytes body, std::int16_t version) {
  Reader reader(body, Reader::kNoLimit);
  ProduceRequest request;
  const bool decoded = decode(reader, version, request).has_value();
  auto stream = ProduceReader::open(body, version);
  CHECK(decoded == stream.has_value());
  if (!decoded) return;
  CHECK(stream->topics() == request.topic_data.size());
  for (const auto& topic : request.topic_data) {
    CHECK(stream->next_topic());
    CHECK(stream->topic_name() == topic.name || version > 12);
    CHECK(stream->topic_id() == topic.topic_id || version <= 12);
    for (const auto& partition : topic.partition_data) {
      CHECK(stream->next_partition());
      CHECK(stream->partition().index == partition.index);
      CHECK(stream->partition().records.has_value() == partition.records.has_value());
      if (partition.records) CHECK(stream->partition().records->data() == partition.records->data());
    }
    CHECK(!stream->next_partition());
  }
  CHECK(!stream->next_topic());
}

void check_fetch(Bytes body, std::int16_t version) {
  Reader reader(body, Reader::kNoLimit);
  FetchRequest request;
  const bool decoded = decode(reader, version, request).has_value();
  auto stream = FetchReader::open(body, version);
  CHECK(decoded == stream.has_value());
  if (!decoded) return;
  CHECK(stream->head().rack_id == request.rack_id);
  for (const auto& topic : request.topics) {
    CHECK(stream->next_topic());
    for (const auto& partition : topic.partitions) {
      CHECK(stream->next_partition());
      CHECK(stream->partition().fetch_offset == partition.fetch_offset);
      CHECK(stream->partition().high_watermark == partition.high_watermark);
    }
    CHECK(!stream->next_partition());
  }
  CHECK(!stream->next_topic());
  for (const auto& topic : request.forgotten_topics_data) {
    CHECK(stream->next_forgotten_topic());
    for (const std::int32_t partition : topic.partitions) {
      CHECK(stream->next_forgotten_partition());
      CHECK(stream->forgotten_partition() == partition);
    }
  }
  CHECK(!stream->next_forgotten_topic());
}

// As a broker reads it: a frame, a header, then the body by its API and version.
void check_received(Bytes bytes, const std::vector<Choice>& choices) {
  const auto front = split_frame(bytes, 1U << 20);
  if (!front || !front->whole()) return;
  Reader reader(front->body);
  const auto header = decode_request_header(reader);
  if (!header) return;
  for (const Choice& choice : choices) {
    if (choice.example->api_key != header->api_key || choice.version != header->api_version) continue;
    CHECK(choice.example->stable(reader.rest(), choice.version));
  }
}

void run(Bytes input) {
  static const std::vector<Choice> choices = all_choices();
  if (input.size() < 2) return;
  const std::size_t chosen = static_cast<std::size_t>(input[0]) << 8 | static_cast<std::size_t>(input[1]);
  const Bytes body = input.subspan(2);
  const std::size_t index = chosen % (choices.size() + 16);
  if (index >= choices.size()) return check_received(body, choices);
  const auto& [example, version] = choices[index];
  CHECK(example->stable(body, version));
  std::string json;
  static_cast<void>(example->recode(body, version, &json));
  if (example->name == ProduceRequest::kName) check_produce(body, version);
  if (example->name == FetchRequest::kName) check_fetch(body, version);
}

}  // namespace
}  // namespace tailwater::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tailwater::wire::run({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
