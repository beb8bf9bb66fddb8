#include "sim/client.hpp"

namespace tailwater::sim {

namespace {

constexpr std::size_t kSizeField = 4;
// Longer than any rebalance takes to be answered.
constexpr Duration kPatience = Duration::from_ms(15'000);

}  // namespace

Client::~Client() {
  if (connection_ != 0) network_.disconnect(connection_);
}

void Client::send(Buffer frame, Then then) {
  thens_.push_back({std::move(then), agenda_.now()});
  if (connection_ == 0) {
    received_.clear();
    connection_ = network_.connect(*this);
  }
  if (connection_ == 0) return lose();
  network_.send(connection_, std::move(frame));
  if (!watching_) watch();
}

void Client::watch() {
  watching_ = true;
  const Instant due = (thens_.empty() ? agenda_.now() : thens_.front().since) + kPatience;
  agenda_.at(due, [this] {
    watching_ = false;
    if (thens_.empty()) return;
    if (thens_.front().since + kPatience > agenda_.now()) return watch();
    disconnect();
  });
}

void Client::lose() {
  if (thens_.empty()) return;
  thens_.clear();
  lost_();
}

void Client::complain(std::string what) {
  if (complaint_.empty()) complaint_ = name_ + ": " + what;
}

void Client::disconnect() {
  if (connection_ == 0) return;
  network_.disconnect(connection_);
  connection_ = 0;
  lose();
}

void Client::vanish() {
  if (connection_ == 0) return;
  network_.vanish(connection_);
  connection_ = 0;
  lose();
}

void Client::closed() {
  connection_ = 0;
  lose();
}

void Client::bytes_arrived(Bytes bytes) {
  received_.insert(received_.end(), bytes.begin(), bytes.end());
  while (connection_ != 0 && received_.size() >= kSizeField) {
    const std::size_t size = load_big<std::uint32_t>(received_.data());
    if (received_.size() < kSizeField + size) return;
    const Buffer answer(received_.begin() + kSizeField,
                        received_.begin() + static_cast<std::ptrdiff_t>(kSizeField + size));
    received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(kSizeField + size));
    if (thens_.empty()) return complain("an answer to nothing");
    Then then = std::move(thens_.front().then);
    thens_.pop_front();
    then(Bytes(answer));
  }
}

}  // namespace tailwater::sim
