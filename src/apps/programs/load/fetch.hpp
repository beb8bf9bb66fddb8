// One consumer: fetches all partitions in a fetch session, as the clients that people use do, one request
// after the other. It checks that every batch is the next one of its partition, and the checksum of some.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/uuid.hpp"
#include "programs/load/journey.hpp"
#include "programs/load/script.hpp"
#include "wire/api/fetch.hpp"

namespace tailwater::load {

// What is read: of each partition from one offset to another, and then again from the first.
struct Stretch {
  Uuid topic;
  std::vector<std::int64_t> begins;
  std::vector<std::int64_t> ends;  // none: what comes, without end
};

class Fetch : public Script {
 public:
  // With a journey its batches are received, with times; else nothing is timed but requests.
  Fetch(const Plan& plan, const Stretch& stretch, Journey* journey);

  MutableBytes next() override;
  Heard hear(Bytes answer, std::int64_t now_ns) override;
  std::uint64_t records() const override { return records_; }
  const std::vector<std::int64_t>& journeys_ns() const override { return journeys_; }
  std::size_t answer_bytes() const override;

  // Rounds through the first partition, for whoever wants to know that a round begins.
  std::atomic<std::uint32_t>& rounds() { return rounds_; }

 private:
  bool take(std::int32_t partition, Bytes records, std::int64_t now_ns);
  Heard refuse(std::string problem);

  const Plan plan_;
  const Stretch stretch_;
  Journey* const journey_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::int32_t> moved_;  // partitions whose offset the broker does not know
  std::int32_t session_ = 0;
  std::int32_t epoch_ = 0;
  std::uint64_t batches_ = 0;
  std::atomic<std::uint32_t> rounds_ = 0;
  // Of the last answer.
  std::uint64_t records_ = 0;
  std::vector<std::int64_t> journeys_;
  // Kept for their memory.
  wire::FetchRequest request_;
  wire::FetchResponse response_;
  Buffer frame_;
};

}  // namespace tailwater::load
