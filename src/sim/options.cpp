#include "sim/options.hpp"

#include <initializer_list>

namespace tailwater::sim {

namespace {

std::uint64_t one_of(Prng& random, std::initializer_list<std::uint64_t> values) {
  return values.begin()[random.below(values.size())];
}

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

}  // namespace

Options draw_options(Prng& random) {
  Options options;
  options.shards = static_cast<std::uint32_t>(1 + random.below(4));
  options.partitions = static_cast<std::int32_t>(1 + random.below(8));
  // The least that tailwater.journal.bytes takes, as often as not.
  options.journal_bytes = one_of(random, {512 * kKiB, 512 * kKiB, 2 * kMiB, 16 * kMiB});
  // A shard's requests take 16 MiB of it, its logs the rest.
  options.memory_bytes = 16 * kMiB + one_of(random, {2 * kMiB, 4 * kMiB, 16 * kMiB, 80 * kMiB});
  options.segment_ms = one_of(random, {2'000, 10'000, 60'000, 3'600'000});
  options.segment_bytes = one_of(random, {1 * kMiB, 1 * kMiB, 16 * kMiB});
  options.exact_producers = 1 + random.below(3);
  options.plain_producers = random.below(3);
  options.consumers = 1 + random.below(2);
  options.members = 1 + random.below(4);
  options.padding_max = one_of(random, {30, 300, 300, 2'000});
  options.producer_pause_max = Duration::from_ms(static_cast<std::int64_t>(one_of(random, {80, 140, 250})));
  options.network_delay_max =
      Duration::from_us(static_cast<std::int64_t>(one_of(random, {200, 1'000, 20'000})));
  options.fault_interval =
      Duration::from_ms(static_cast<std::int64_t>(one_of(random, {1'000, 3'000, 6'000})));
  for (bool& enabled : options.enabled) enabled = random.one_in(2);
  // At least one way to die.
  const std::uint64_t death = random.below(2);
  options.enabled[static_cast<std::size_t>(death == 0 ? Fault::kill : Fault::power_loss)] = true;
  options.transactors = random.below(4);
  options.transaction_timeout_ms = static_cast<std::int32_t>(one_of(random, {1'000, 3'000, 10'000}));
  options.recreates = random.one_in(2);
  options.delete_delay_ms = one_of(random, {0, 1'000, 10'000});
  options.log_dirs = random.one_in(3) ? 2 : 1;
  options.trims = random.one_in(3);
  if (random.one_in(4)) options.retention_ms = static_cast<std::int64_t>(one_of(random, {5'000, 30'000}));
  if (random.one_in(4))
    options.retention_bytes = static_cast<std::int64_t>(one_of(random, {100'000, 1'000'000}));
  options.compacts = random.one_in(2);
  if (random.one_in(3))
    options.hasty_messages = static_cast<std::int64_t>(one_of(random, {1, 100, std::uint64_t{INT64_MAX}}));
  options.transformers = random.below(options.transactors + 1);
  options.mail_delay_max =
      Duration::from_us(static_cast<std::int64_t>(one_of(random, {30, 30, 1'000, 20'000})));
  options.direct_bytes = one_of(random, {4 * kKiB, 4 * kKiB, 12 * kKiB, 192 * kKiB});
  options.recycle_bytes = one_of(random, {0, 64 * kKiB, 64 * kKiB, 1 * kMiB});
  return options;
}

std::string Options::text() const {
  std::string text =
      "shards=" + std::to_string(shards) + " partitions=" + std::to_string(partitions) +
      " journal=" + std::to_string(journal_bytes / kKiB) + "K direct=" + std::to_string(direct_bytes / kKiB) +
      "K recycle=" + std::to_string(recycle_bytes / kKiB) +
      "K memory=" + std::to_string(memory_bytes / kMiB) + "M segment=" + std::to_string(segment_ms) + "ms/" +
      std::to_string(segment_bytes / kMiB) + "M producers=" + std::to_string(exact_producers) + "+" +
      std::to_string(plain_producers) + " members=" + std::to_string(members) +
      " transactors=" + std::to_string(transactors) + "(" + std::to_string(transformers) + ")/" +
      std::to_string(transaction_timeout_ms) + "ms" +
      (recreates ? " recreates=" + std::to_string(delete_delay_ms) + "ms" : "") +
      (log_dirs > 1 ? " dirs=" + std::to_string(log_dirs) : "") + (trims ? " trims" : "") +
      (compacts ? " compacts" : "") +
      (hasty_messages >= 0 ? " hasty=" + std::to_string(hasty_messages) : "") +
      (expires() ? " retention=" + std::to_string(retention_ms) + "ms/" + std::to_string(retention_bytes)
                 : "") +
      " mail=" + std::to_string(mail_delay_max.nanoseconds / 1'000) +
      "us padding=" + std::to_string(padding_max) + " interval=" + std::to_string(fault_interval.to_ms()) +
      "ms faults=";
  std::string separator;
  for (std::size_t fault = 0; fault < kFaults; ++fault) {
    if (!enabled[fault]) continue;
    text += separator + std::string(kFaultNames[fault]);
    separator = ",";
  }
  return text;
}

}  // namespace tailwater::sim
