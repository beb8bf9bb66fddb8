// What all parts of a shard share: who it is, the newest image, the time of this turn, and the way to other
// shards. Single-threaded, no locks. Parts never keep what they take from here across turns, except the
// context itself.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"
#include "core/cluster/image.hpp"
#include "node/mail.hpp"
#include "node/options.hpp"
#include "node/ports.hpp"

namespace tailwater::node {

// The shard that a partition lives on: consecutive partitions of a topic are spread evenly. Not persisted. It
// follows from the topic's name as the partition's folder does: a topic that is created anew comes to the
// shard that still has the old one's folder to remove, and nobody else touches it.
ShardId shard_of(std::string_view topic, PartitionId partition, std::uint32_t shards);

struct Context {
  ShardOptions options;
  cluster::ImageHandle image;
  Now now;
  Prng random;
  std::vector<LogLine> log;

  Context(ShardOptions options, cluster::ImageHandle image);

  ShardId self() const { return options.shard; }
  bool is_self(ShardId shard) const { return shard == options.shard; }
  ShardId home_of(const cluster::Topic& topic, PartitionId partition) const {
    return shard_of(topic.name, partition, options.shards);
  }
  // Where partitions are refused: a shard, and a log directory that has failed for it. Of all shards; nothing
  // comes back before a start.
  std::set<std::pair<ShardId, DirId>> offline_dirs;

  // Mail to any shard, this one included; it is delivered in a later round of this turn, or by the shell.
  template <class Content>
  void send(ShardId to, Content&& content) {
    ShardMail& mail = *outbox.emplace_back(to, blank_mail()).mail;
    mail.from = options.shard;
    mail.content = std::forward<Content>(content);
  }
  std::vector<Envelope> outbox;
  // Mail that was read, of whatever shard: what is sent next takes its memory.
  void discard(std::unique_ptr<ShardMail> mail);

  void note(LogLevel level, std::string text) { log.push_back({level, std::move(text)}); }

 private:
  std::unique_ptr<ShardMail> blank_mail();

  std::vector<std::unique_ptr<ShardMail>> spare_mail_;
};

}  // namespace tailwater::node
