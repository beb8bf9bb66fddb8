#include "programs/load/script.hpp"

#include "programs/load/requests.hpp"
#include "programs/load/transactions.hpp"

namespace tailwater::load {

namespace {

// The same request, again and again.
class Produce : public Script {
 public:
  Produce(const Plan& plan, std::uint32_t connection) : request_(produce_request(plan, connection)) {}
  MutableBytes next() override { return request_; }
  Heard hear(Bytes answer) override { return is_success(answer, problem_) ? Heard::done : Heard::wrong; }

 private:
  Buffer request_;
};

}  // namespace

std::unique_ptr<Script> make_script(const Plan& plan, std::uint32_t connection) {
  if (plan.transactions) return std::make_unique<Transactions>(plan, connection);
  return std::make_unique<Produce>(plan, connection);
}

}  // namespace tailwater::load
