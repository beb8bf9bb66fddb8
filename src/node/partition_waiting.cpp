// What waits for a log directory that is full or whose journal is: batches and markers, in the order of each partition.
// The other directories' partitions go on.
#include <utility>

#include "node/partitions.hpp"

namespace tailwater::node {

Partitions::Waiting& Partitions::waiting_of(const PartitionState& partition) {
  return waiting_[partition.log->identity().dir.value];
}

void Partitions::produce(const Asker& asker, const ProduceTerms& terms, const ProduceAsk& ask) {
  PartitionState* const partition = find(ask.key);
  if (partition != nullptr && partition->log != nullptr) {
    // The order of a partition's batches must hold: behind one that waits, all wait.
    Waiting& waiting = waiting_of(*partition);
    if (!waiting.batches.empty() || held_back(*partition)) {
      waiting.batches.push_back({asker, terms, ask});
      return;
    }
  }
  produce_now(partition, asker, terms, ask);
}

void Partitions::retry_deferred() {
  for (std::uint32_t dir = 0; dir < waiting_.size(); ++dir) {
    auto& [batches, marks, full] = waiting_[dir];
    const auto goes_on = [&](const auto& queue) { return !queue.empty() && !storage_.held_back(DirId{dir}); };
    while (goes_on(batches)) {
      const Deferred next = batches.front();
      batches.pop_front();
      produce_now(find(next.ask.key), next.asker, next.terms, next.ask);
    }
    while (goes_on(marks)) {
      const auto [asker, call] = marks.front();
      marks.pop_front();
      mark_now(asker, call);
    }
  }
}

bool Partitions::held_back(const PartitionState& partition) const {
  return storage_.held_back(partition.log->identity().dir);
}

bool Partitions::all_held_back() const {
  for (std::uint32_t dir = 0; dir < waiting_.size(); ++dir) {
    if (!storage_.held_back(DirId{dir})) return false;
  }
  return true;
}

void Partitions::tell_of_room() {
  for (std::uint32_t dir = 0; dir < waiting_.size(); ++dir) {
    const bool full = storage_.report(DirId{dir}).state == log::DirState::full;
    if (std::exchange(waiting_[dir].full, full) == full) continue;
    const std::string name = "log directory " + context_.options.log_dirs[dir];
    context_.note(
        LogLevel::warning,
        full ? name +
                   " is full: who writes to its partitions waits until its disk has room again, and so "
                   "does a clean stop; consumers go on"
             : name + " has room again");
  }
}

}  // namespace tailwater::node
