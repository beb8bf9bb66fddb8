#include "sim/client.hpp"

#include "base/check.hpp"

namespace tailwater::sim {

namespace {
constexpr std::size_t kSizeField = 4;
}  // namespace

Client::~Client() {
  if (connection_ != 0) broker_.disconnect(connection_);
}

void Client::send(Buffer frame, Then then) {
  CHECK(!then_);
  then_ = std::move(then);
  if (connection_ == 0) {
    received_.clear();
    connection_ = broker_.connect(*this);
  }
  if (connection_ == 0) return lose();
  broker_.send(connection_, std::move(frame));
}

void Client::lose() {
  if (!then_) return;
  then_ = nullptr;
  lost_();
}

void Client::complain(std::string what) {
  if (complaint_.empty()) complaint_ = name_ + ": " + what;
}

void Client::disconnect() {
  if (connection_ == 0) return;
  broker_.disconnect(connection_);
  connection_ = 0;
  lose();
}

void Client::closed() {
  connection_ = 0;
  lose();
}

void Client::bytes_arrived(Bytes bytes) {
  received_.insert(received_.end(), bytes.begin(), bytes.end());
  if (received_.size() < kSizeField) return;
  const std::size_t size = load_big<std::uint32_t>(received_.data());
  if (received_.size() < kSizeField + size) return;
  if (received_.size() > kSizeField + size || !then_) return complain("more bytes than one answer");
  const Buffer answer = std::move(received_);
  received_.clear();
  Then then = std::move(then_);
  then_ = nullptr;
  then(Bytes(answer).subspan(kSizeField));
}

}  // namespace tailwater::sim
