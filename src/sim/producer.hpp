// A model of an idempotent producer: numbered records to the partitions of one topic, one batch at a time,
// sent again with the same sequence until it is acknowledged. It knows what the broker has promised.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "records/builder.hpp"
#include "sim/client.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/produce.hpp"

namespace tailwater::sim {

class Producer {
 public:
  Producer(Agenda& agenda, Broker& broker, std::string name, std::string topic, std::int32_t partitions,
           std::uint64_t records_wanted);

  void start() { step(); }
  bool finished() const { return acknowledged_ >= wanted_; }
  std::uint64_t acknowledged() const { return acknowledged_; }
  // By partition: how many of this producer's records are acknowledged; they are numbered from 0.
  const std::vector<std::uint64_t>& acknowledged_by_partition() const { return sent_; }
  const std::string& name() const { return client_.name(); }
  std::string complaint() const { return complaint_.empty() ? client_.complaint() : complaint_; }

 private:
  void step();
  void ask_id();
  void make_batch();
  void send_batch();
  void again();

  Agenda& agenda_;
  Client client_;
  std::string topic_;
  std::uint64_t wanted_;
  std::uint64_t acknowledged_ = 0;
  std::int64_t producer_id_ = -1;
  std::vector<std::uint64_t> sent_;
  std::int32_t partition_ = 0;  // of the batch that is being sent
  std::uint64_t count_ = 0;     // of its records; 0: there is none
  Buffer batch_;
  std::string complaint_;
};

}  // namespace tailwater::sim
