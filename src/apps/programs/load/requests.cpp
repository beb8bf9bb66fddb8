#include "programs/load/requests.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "base/prng.hpp"
#include "records/builder.hpp"
#include "wire/api/create_topics.hpp"
#include "wire/api/find_coordinator.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/list_offsets.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/produce.hpp"

namespace tailwater::load {

namespace {

constexpr std::int16_t kProduceVersion = 7;
constexpr std::int16_t kCreateTopicsVersion = 4;
constexpr std::int16_t kListOffsetsVersion = 4;
constexpr std::int16_t kMetadataVersion = 12;
constexpr std::int16_t kFindCoordinatorVersion = 4;
constexpr std::int16_t kInitProducerIdVersion = 5;
constexpr int kTries = 600;

template <class Request>
Buffer frame_of(std::int16_t version, const Request& request) {
  Buffer frame;
  write_frame(frame, version, request);
  return frame;
}

void receive_all(int socket, MutableBytes to) {
  while (!to.empty()) {
    const ssize_t got = ::recv(socket, to.data(), to.size(), 0);
    if (got <= 0) give_up("the broker closed the connection");
    to = to.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace

void give_up(const std::string& what) {
  throw std::runtime_error(what);
}

void send_all(int socket, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) give_up("the broker closed the connection");
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

Buffer noise(std::size_t size, std::uint64_t seed) {
  Buffer bytes(size);
  Prng random(seed);
  for (std::byte& each : bytes) each = static_cast<std::byte>(random.next());
  return bytes;
}

std::int64_t wall_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Buffer text(std::size_t size, std::uint64_t seed) {
  static constexpr std::string_view kWords[] = {"{\"level\":\"info\",",  "\"path\":\"/orders/",
                                                "\"status\":200,",       "\"status\":404,",
                                                "\"region\":\"north\",", "\"region\":\"south\",",
                                                "\"user\":\"",           "\"took_ms\":",
                                                "\"items\":[",           "]}"};
  Buffer bytes;
  Prng random(seed);
  while (bytes.size() < size) {
    const Bytes word = as_bytes(kWords[random.next() % std::size(kWords)]);
    bytes.insert(bytes.end(), word.begin(), word.end());
    const std::string number = std::to_string(random.next() % 100'000);
    bytes.insert(bytes.end(), as_bytes(number).begin(), as_bytes(number).end());
  }
  bytes.resize(size);
  return bytes;
}

std::uint32_t partition_of(const Plan& plan, std::uint32_t connection, std::uint32_t batch,
                           std::uint64_t turn) {
  const std::uint64_t at_once = std::uint64_t{plan.connections} * plan.batches;
  const std::uint64_t before = plan.partitions > at_once ? turn * at_once : 0;
  const std::uint64_t first = std::uint64_t{connection} * plan.batches;
  return static_cast<std::uint32_t>((before + first + batch) % plan.partitions);
}

Buffer produce_request(const Plan& plan, std::uint32_t connection) {
  records::BatchBuilder builder({.codec = plan.codec});
  const std::int64_t now = wall_ms();
  for (std::uint32_t record = 0; record < plan.records; ++record) {
    const std::uint64_t seed = std::uint64_t{connection} << 32 | record;
    const Buffer value =
        plan.codec == records::Codec::none ? noise(plan.record_bytes, seed) : text(plan.record_bytes, seed);
    if (!builder.add(now, std::nullopt, Bytes(value))) give_up("the batch is too large");
  }
  Buffer batch;
  if (!builder.finish(batch)) give_up("a batch needs records");
  wire::ProduceRequest request;
  request.acks = plan.acks;
  request.timeout_ms = 60'000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = plan.topic;
  for (std::uint32_t each = 0; each < plan.batches; ++each) {
    const auto partition = static_cast<std::int32_t>(partition_of(plan, connection, each));
    topic.partition_data.push_back({.index = partition, .records = Bytes(batch)});
  }
  return frame_of(kProduceVersion, request);
}

// In version 7 a partition is its number, the size of its records and these.
std::vector<std::size_t> partitions_at(Bytes request) {
  wire::Reader reader(request.subspan(4));
  wire::ProduceRequest read;
  if (!wire::decode_request_header(reader) || !decode(reader, kProduceVersion, read))
    give_up("a request that cannot be read");
  std::vector<std::size_t> found;
  for (const auto& part : read.topic_data.at(0).partition_data) {
    found.push_back(static_cast<std::size_t>(part.records->data() - request.data()) - 8);
  }
  return found;
}

// Version 7: correlation id, topics (name, partitions (index, error, offset, time, start)), throttle time.
bool is_success(Bytes answer, std::string& problem) {
  wire::Reader reader(answer);
  reader.int32();
  const std::int32_t topics = reader.int32();
  for (std::int32_t topic = 0; topic < topics && reader.ok(); ++topic) {
    reader.skip(static_cast<std::size_t>(reader.int16()));
    const std::int32_t partitions = reader.int32();
    for (std::int32_t each = 0; each < partitions && reader.ok(); ++each) {
      const std::int32_t index = reader.int32();
      const std::int16_t error = reader.int16();
      reader.skip(24);
      if (error == 0) continue;
      problem = "partition " + std::to_string(index) + " answered error " + std::to_string(error);
      return false;
    }
  }
  reader.int32();
  if (reader.ok() && reader.remaining() == 0) return true;
  problem = "an answer that is no answer to Produce";
  return false;
}

int connect_to(const Plan& plan) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(plan.port);
  if (socket < 0 || ::inet_pton(AF_INET, plan.host.c_str(), &address.sin_addr) != 1 ||
      ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (socket >= 0) ::close(socket);
    give_up("cannot connect to " + plan.host + ":" + std::to_string(plan.port));
  }
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

Asker::~Asker() {
  ::close(socket_);
}

template <class Request>
auto Asker::ask(std::int16_t version, const Request& request) {
  send_all(socket_, frame_of(version, request));
  std::byte size[4];
  receive_all(socket_, size);
  answer_.resize(load_big<std::uint32_t>(size));
  receive_all(socket_, answer_);
  return read_answer<Request>(version, answer_);
}

void Asker::make_topic(const Plan& plan) {
  wire::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = plan.topic;
  topic.num_partitions = static_cast<std::int32_t>(plan.partitions);
  topic.replication_factor = 1;
  request.timeout_ms = 60'000;
  const auto answer = ask(kCreateTopicsVersion, request);
  const auto error = answer.topics.at(0).error_code;
  if (error != wire::ErrorCode::none && error != wire::ErrorCode::topic_already_exists) {
    give_up("cannot make the topic: " + std::string(wire::name(error)));
  }
  for (int tries = 0; tries < kTries; ++tries) {
    if (records_in(plan) >= 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  give_up("the topic's partitions have no leaders");
}

Producer Asker::take_producer(const std::string& transactional_id) {
  wire::FindCoordinatorRequest find;
  find.key_type = 1;
  find.coordinator_keys = {transactional_id};
  wire::InitProducerIdRequest request;
  request.transactional_id = transactional_id;
  request.transaction_timeout_ms = 60'000;
  wire::ErrorCode error = wire::ErrorCode::none;
  for (int tries = 0; tries < kTries; ++tries) {
    error = ask(kFindCoordinatorVersion, find).coordinators.at(0).error_code;
    if (error == wire::ErrorCode::none) {
      const auto answer = ask(kInitProducerIdVersion, request);
      error = answer.error_code;
      if (error == wire::ErrorCode::none) return {answer.producer_id, answer.producer_epoch};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  give_up("no producer id: " + std::string(wire::name(error)));
}

void Asker::await_coordinator(const std::string& group) {
  wire::FindCoordinatorRequest find;
  find.coordinator_keys = {group};
  for (int tries = 0; tries < kTries; ++tries) {
    if (ask(kFindCoordinatorVersion, find).coordinators.at(0).error_code == wire::ErrorCode::none) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  give_up("the group has no coordinator");
}

Uuid Asker::topic_id(const Plan& plan) {
  wire::MetadataRequest request;
  request.topics.emplace().push_back({.topic_id = {}, .name = plan.topic});
  request.allow_auto_topic_creation = false;
  const auto answer = ask(kMetadataVersion, request);
  const auto& topic = answer.topics.at(0);
  if (topic.error_code != wire::ErrorCode::none) give_up("no topic " + plan.topic);
  return topic.topic_id;
}

std::int64_t Asker::records_in(const Plan& plan) {
  const std::vector<std::int64_t> ends = ends_of(plan);
  return ends.empty() ? -1 : std::accumulate(ends.begin(), ends.end(), std::int64_t{0});
}

std::vector<std::int64_t> Asker::ends_of(const Plan& plan) {
  wire::ListOffsetsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = plan.topic;
  for (std::uint32_t partition = 0; partition < plan.partitions; ++partition) {
    topic.partitions.push_back({.partition_index = static_cast<std::int32_t>(partition), .timestamp = -1});
  }
  std::vector<std::int64_t> ends(plan.partitions);
  const auto answer = ask(kListOffsetsVersion, request);
  for (const auto& part : answer.topics.at(0).partitions) {
    if (part.error_code != wire::ErrorCode::none) return {};
    ends.at(static_cast<std::size_t>(part.partition_index)) = part.offset;
  }
  return ends;
}

}  // namespace tailwater::load
