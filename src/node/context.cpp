#include "node/context.hpp"

#include "base/crc32c.hpp"

namespace tailwater::node {

ShardId shard_of(std::string_view topic, PartitionId partition, std::uint32_t shards) {
  if (shards == 1) return ShardId{0};
  std::uint64_t mixed = crc32c(as_bytes(topic)) * 0x9e3779b97f4a7c15ULL;
  mixed ^= mixed >> 32;
  return ShardId{static_cast<std::uint32_t>((mixed + static_cast<std::uint32_t>(partition.value)) % shards)};
}

Context::Context(ShardOptions given, cluster::ImageHandle newest)
    : options(std::move(given)), image(std::move(newest)), random(options.seed) {}

std::unique_ptr<ShardMail> Context::blank_mail() {
  if (spare_mail_.empty()) return std::make_unique<ShardMail>();
  std::unique_ptr<ShardMail> mail = std::move(spare_mail_.back());
  spare_mail_.pop_back();
  return mail;
}

void Context::discard(std::unique_ptr<ShardMail> mail) {
  constexpr std::size_t kSpareMax = 256;
  if (spare_mail_.size() == kSpareMax) return;
  mail->content = ImageSeenMail{};  // what it held is not kept alive
  spare_mail_.push_back(std::move(mail));
}

Envelope::Envelope(ShardId receiver, std::unique_ptr<ShardMail> content)
    : to(receiver), mail(std::move(content)) {}
Envelope::Envelope(Envelope&&) noexcept = default;
Envelope& Envelope::operator=(Envelope&&) noexcept = default;
Envelope::~Envelope() = default;

void TurnEffects::clear() {
  send.clear();
  resume.clear();
  close.clear();
  disk.clear();
  mail.clear();
  store.clear();
  snapshots.clear();
  config.reset();
  log.clear();
  wake_at = Instant::max();
}

}  // namespace tailwater::node
