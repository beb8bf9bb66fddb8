#include "apps/cli/producer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "apps/cli/interrupt.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr int kFirstAnswer = 2000;        // ms
constexpr int kQueuePause = 50;           // ms, while the queue is full
constexpr std::int64_t kComplaints = 10;  // failures that are told one by one
constexpr std::int64_t kServeEvery = 64;  // records between looks at outcomes

rd_kafka_vu_t argument(rd_kafka_vtype_t type) {
  rd_kafka_vu_t value{};
  value.vtype = type;
  return value;
}

rd_kafka_vu_t memory(rd_kafka_vtype_t type, const std::string& bytes) {
  rd_kafka_vu_t value = argument(type);
  value.u.mem.ptr = const_cast<char*>(bytes.data());  // it is copied, not written
  value.u.mem.size = bytes.size();
  return value;
}

KafkaOwner<rd_kafka_headers_t> headers_of(const InputRecord& record) {
  if (record.headers.empty()) return nullptr;
  KafkaOwner<rd_kafka_headers_t> headers(rd_kafka_headers_new(record.headers.size()));
  for (const InputRecord::Header& header : record.headers) {
    rd_kafka_header_add(headers.get(), header.key.data(), static_cast<ssize_t>(header.key.size()),
                        header.value ? header.value->data() : nullptr,
                        header.value ? static_cast<ssize_t>(header.value->size()) : 0);
  }
  return headers;
}

}  // namespace

Result<std::unique_ptr<Producer>> Producer::make(KafkaConfig config, const std::string& topic) {
  std::unique_ptr<Producer> producer(new Producer(topic));
  rd_kafka_conf_set_opaque(config.get(), producer.get());
  rd_kafka_conf_set_dr_msg_cb(config.get(), &Producer::on_outcome);
  auto client = config.make(RD_KAFKA_PRODUCER);
  if (!client) return std::unexpected(client.error());
  producer->client_ = std::move(*client);
  // librdkafka looks for the leaders of a new topic once a second if no broker is connected yet; so they are
  // asked for first. Without an answer it goes on by itself, until message.timeout.ms.
  producer->handle_.reset(rd_kafka_topic_new(producer->client_.get(), topic.c_str(), nullptr));
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto code =
      rd_kafka_metadata(producer->client_.get(), 0, producer->handle_.get(), &metadata, kFirstAnswer);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) rd_kafka_metadata_destroy(metadata);
  return producer;
}

void Producer::on_outcome(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  static_cast<Producer*>(opaque)->count(*message);
}

void Producer::count(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    complain_of(static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(message._private)),
                message.partition, rd_kafka_err2str(message.err));
    return;
  }
  ++counts_.delivered;
  counts_.bytes += static_cast<std::int64_t>(message.len + message.key_len);
  ProduceCounts::Partition& partition = counts_.partitions[message.partition];
  ++partition.records;
  if (message.offset < 0) return;
  partition.first_offset =
      partition.first_offset < 0 ? message.offset : std::min(partition.first_offset, message.offset);
  partition.last_offset = std::max(partition.last_offset, message.offset);
}

void Producer::complain_of(std::int64_t number, std::int32_t partition, const std::string& reason) {
  ++counts_.failed;
  if (counts_.failed > kComplaints) return;
  const std::string where = partition >= 0 ? fmt::format(" (partition {})", partition) : "";
  complain(fmt::format("record {}{}: {}", number, where, reason));
  if (counts_.failed == kComplaints) complain("further failures are only counted");
}

rd_kafka_resp_err_t Producer::try_send(const InputRecord& record) {
  arguments_.clear();
  auto topic = argument(RD_KAFKA_VTYPE_TOPIC);
  topic.u.cstr = topic_.c_str();
  arguments_.push_back(topic);
  auto flags = argument(RD_KAFKA_VTYPE_MSGFLAGS);
  flags.u.i = RD_KAFKA_MSG_F_COPY;
  arguments_.push_back(flags);
  auto number = argument(RD_KAFKA_VTYPE_OPAQUE);
  number.u.ptr = reinterpret_cast<void*>(static_cast<std::intptr_t>(counts_.sent));
  arguments_.push_back(number);
  if (record.partition) {
    auto partition = argument(RD_KAFKA_VTYPE_PARTITION);
    partition.u.i32 = *record.partition;
    arguments_.push_back(partition);
  }
  if (record.timestamp) {
    auto timestamp = argument(RD_KAFKA_VTYPE_TIMESTAMP);
    timestamp.u.i64 = *record.timestamp;
    arguments_.push_back(timestamp);
  }
  if (record.key) arguments_.push_back(memory(RD_KAFKA_VTYPE_KEY, *record.key));
  if (record.value) arguments_.push_back(memory(RD_KAFKA_VTYPE_VALUE, *record.value));
  KafkaOwner<rd_kafka_headers_t> headers = headers_of(record);
  if (headers) {
    auto value = argument(RD_KAFKA_VTYPE_HEADERS);
    value.u.headers = headers.get();
    arguments_.push_back(value);
  }
  const KafkaOwner<rd_kafka_error_t> error(
      rd_kafka_produceva(client_.get(), arguments_.data(), arguments_.size()));
  if (!error) {
    headers.release();  // the message's now
    return RD_KAFKA_RESP_ERR_NO_ERROR;
  }
  return rd_kafka_error_code(error.get());
}

void Producer::send(const InputRecord& record) {
  ++counts_.sent;
  for (;;) {
    const rd_kafka_resp_err_t outcome = try_send(record);
    if (outcome == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (outcome == RD_KAFKA_RESP_ERR__QUEUE_FULL && !interrupted()) {
      rd_kafka_poll(client_.get(), kQueuePause);
      continue;
    }
    complain_of(counts_.sent, record.partition.value_or(-1), rd_kafka_err2str(outcome));
    return;
  }
  if (counts_.sent % kServeEvery == 0) rd_kafka_poll(client_.get(), 0);
}

void Producer::serve(std::chrono::milliseconds time) {
  rd_kafka_poll(client_.get(), static_cast<int>(time.count()));
}

void Producer::flush() {
  // Every record has its outcome within message.timeout.ms; a second interrupt ends the program.
  while (rd_kafka_outq_len(client_.get()) > 0) rd_kafka_flush(client_.get(), 1000);
}

}  // namespace tailwater::apps::cli
