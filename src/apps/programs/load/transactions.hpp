// One transaction after the other, each with one batch: Produce, EndTxn, as a client does that lets the
// broker add the partitions and raise the epoch (KIP-890).
#pragma once

#include "programs/load/requests.hpp"
#include "programs/load/script.hpp"
#include "records/builder.hpp"

namespace tailwater::load {

class Transactions : public Script {
 public:
  // Asks for a producer id. Throws std::runtime_error.
  Transactions(const Plan& plan, std::uint32_t connection);
  MutableBytes next() override;
  Heard hear(Bytes answer, std::int64_t now_ns) override;
  std::uint64_t records() const override { return plan_.records; }

 private:
  Heard produced(Bytes answer);
  Heard ended(Bytes answer);
  Heard refuse(const char* what, wire::ErrorCode error);

  const Plan plan_;
  const std::uint32_t connection_;
  const std::string id_;
  Producer producer_;
  std::int32_t sequence_ = 0;
  bool ending_ = false;
  Buffer value_;
  Buffer batch_;
  Buffer frame_;
};

}  // namespace tailwater::load
