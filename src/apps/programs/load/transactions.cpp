#include "programs/load/transactions.hpp"

#include "wire/api/end_txn.hpp"
#include "wire/api/produce.hpp"

namespace tailwater::load {

namespace {

constexpr std::int16_t kProduceVersion = 12;
constexpr std::int16_t kEndTxnVersion = 5;

bool come_again(wire::ErrorCode error) {
  return error == wire::ErrorCode::concurrent_transactions || error == wire::ErrorCode::not_enough_replicas ||
         error == wire::ErrorCode::coordinator_load_in_progress || error == wire::ErrorCode::not_coordinator;
}

}  // namespace

Transactions::Transactions(const Plan& plan, std::uint32_t connection)
    : plan_(plan),
      connection_(connection),
      id_(plan.topic + "-" + std::to_string(connection)),
      value_(noise(plan.record_bytes, connection)) {
  Asker asker(plan);
  producer_ = asker.take_producer(id_);
}

MutableBytes Transactions::next() {
  frame_.clear();
  if (ending_) {
    write_frame(frame_, kEndTxnVersion,
                wire::EndTxnRequest{.transactional_id = id_,
                                    .producer_id = producer_.id,
                                    .producer_epoch = producer_.epoch,
                                    .committed = true});
    return frame_;
  }
  batch_.clear();
  records::BatchBuilder builder({.producer_id = ProducerId{producer_.id},
                                 .producer_epoch = ProducerEpoch{producer_.epoch},
                                 .base_sequence = sequence_,
                                 .transactional = true});
  for (std::uint32_t record = 0; record < plan_.records; ++record) {
    if (!builder.add(wall_ms(), std::nullopt, Bytes(value_))) give_up("the batch is too large");
  }
  if (!builder.finish(batch_)) give_up("a batch needs records");
  wire::ProduceRequest request;
  request.transactional_id = id_;
  request.acks = -1;
  request.timeout_ms = 60'000;
  auto& topic = request.topic_data.emplace_back();
  topic.name = plan_.topic;
  topic.partition_data.push_back(
      {.index = static_cast<std::int32_t>(connection_ % plan_.partitions), .records = Bytes(batch_)});
  write_frame(frame_, kProduceVersion, request);
  return frame_;
}

Script::Heard Transactions::hear(Bytes answer, std::int64_t /*now_ns*/) {
  return ending_ ? ended(answer) : produced(answer);
}

Script::Heard Transactions::produced(Bytes answer) {
  const auto response = read_answer<wire::ProduceRequest>(kProduceVersion, answer);
  const wire::ErrorCode error = response.responses.at(0).partition_responses.at(0).error_code;
  if (come_again(error)) return Heard::again;
  if (error != wire::ErrorCode::none) return refuse("Produce", error);
  ending_ = true;
  return Heard::more;
}

Script::Heard Transactions::ended(Bytes answer) {
  const auto response = read_answer<wire::EndTxnRequest>(kEndTxnVersion, answer);
  if (come_again(response.error_code)) return Heard::again;
  if (response.error_code != wire::ErrorCode::none) return refuse("EndTxn", response.error_code);
  sequence_ =
      response.producer_epoch == producer_.epoch ? sequence_ + static_cast<std::int32_t>(plan_.records) : 0;
  producer_ = {response.producer_id, response.producer_epoch};
  ending_ = false;
  return Heard::done;
}

Script::Heard Transactions::refuse(const char* what, wire::ErrorCode error) {
  problem_ = std::string(what) + " answered " + std::string(wire::name(error));
  return Heard::wrong;
}

}  // namespace tailwater::load
