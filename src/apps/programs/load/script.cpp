#include "programs/load/script.hpp"

#include "programs/load/requests.hpp"
#include "programs/load/transactions.hpp"

namespace tailwater::load {

namespace {

// The same request again and again, but for the partitions where they take turns.
class Produce : public Script {
 public:
  Produce(const Plan& plan, std::uint32_t connection, Journey* journey)
      : plan_(plan),
        connection_(connection),
        journey_(journey),
        records_(std::uint64_t{plan.batches} * plan.records),
        request_(produce_request(plan, connection)),
        partitions_at_(partitions_at(request_)) {
    for (std::uint32_t each = 0; each < plan.batches; ++each) {
      partitions_.push_back(partition_of(plan, connection, each));
    }
  }
  MutableBytes next() override {
    for (std::uint32_t each = 0; each < plan_.batches; ++each) {
      store_big(request_.data() + partitions_at_[each], partition_of(plan_, connection_, each, turn_));
    }
    ++turn_;
    return request_;
  }
  void begin(std::int64_t intended_ns) override {
    if (journey_ == nullptr) return;
    for (const std::uint32_t partition : partitions_) journey_->sent(partition, intended_ns);
  }
  Heard hear(Bytes answer, std::int64_t /*now_ns*/) override {
    return is_success(answer, problem_) ? Heard::done : Heard::wrong;
  }
  std::uint64_t records() const override { return records_; }

 private:
  const Plan plan_;
  const std::uint32_t connection_;
  Journey* const journey_;  // then a request has its partitions to itself, and they are always these
  const std::uint64_t records_;
  std::vector<std::uint32_t> partitions_;
  Buffer request_;
  const std::vector<std::size_t> partitions_at_;
  std::uint64_t turn_ = 0;
};

}  // namespace

std::unique_ptr<Script> make_writer(const Plan& plan, std::uint32_t connection, Journey* journey) {
  if (plan.kind == Kind::transactions) return std::make_unique<Transactions>(plan, connection);
  return std::make_unique<Produce>(plan, connection, journey);
}

}  // namespace tailwater::load
