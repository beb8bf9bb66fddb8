// Placement of replicas on brokers and log directories.
#include "core/cluster/placement.hpp"

#include <algorithm>

#include "core/cluster/config_keys.hpp"

namespace tailwater::cluster {

namespace {

struct Candidate {
  BrokerId id;
  std::string rack;  // of its own if the broker names none
};

// Live brokers, one rack after the other in turn: neighbours in the list stand in different racks where
// possible.
std::vector<Candidate> interleave_racks(const std::map<BrokerId, BrokerHandle>& brokers, bool fenced) {
  std::map<std::string, std::vector<BrokerId>> racks;
  for (const auto& [id, broker] : brokers) {
    if (broker->fenced != fenced) continue;
    racks[broker->rack ? "rack " + *broker->rack : "broker " + std::to_string(id.value)].push_back(id);
  }
  std::vector<Candidate> order;
  for (std::size_t round = 0;; ++round) {
    const std::size_t before = order.size();
    for (const auto& [rack, members] : racks) {
      if (round < members.size()) order.push_back({members[round], rack});
    }
    if (order.size() == before) return order;
  }
}

// The other replicas of a partition: along the list, first those that keep racks even, then any.
void add_followers(std::vector<BrokerId>& chosen, std::vector<Candidate> candidates,
                   const std::string& leader_rack, std::size_t replication_factor) {
  std::map<std::string, std::size_t> used{{leader_rack, 1}};
  for (const Candidate& candidate : candidates) used.try_emplace(candidate.rack, 0);
  for (std::size_t per_rack = 1; chosen.size() < replication_factor && !candidates.empty(); ++per_rack) {
    std::erase_if(candidates, [&](const Candidate& candidate) {
      if (chosen.size() == replication_factor || used[candidate.rack] >= per_rack) return false;
      ++used[candidate.rack];
      chosen.push_back(candidate.id);
      return true;
    });
  }
}

}  // namespace

Result<std::vector<std::vector<BrokerId>>> place_replicas(const MetadataImage& image, std::size_t partitions,
                                                          std::size_t replication_factor, std::size_t already,
                                                          Prng& random) {
  const std::vector<Candidate> alive = interleave_racks(image.brokers, false);
  const std::vector<Candidate> fenced = interleave_racks(image.brokers, true);
  if (alive.empty()) return fail(Errc::invalid_argument, "No broker is available");
  if (alive.size() + fenced.size() < replication_factor) {
    return fail(Errc::invalid_argument, "Replication factor " + std::to_string(replication_factor) +
                                            " is larger than the number of available brokers, " +
                                            std::to_string(alive.size() + fenced.size()));
  }
  const std::size_t start = already > 0 ? already : random.below(alive.size());
  const std::size_t first_shift = random.below(alive.size());
  std::vector<std::vector<BrokerId>> placed;
  placed.reserve(partitions);
  for (std::size_t partition = 0; partition < partitions; ++partition) {
    const std::size_t leader = (start + partition) % alive.size();
    std::vector<BrokerId> chosen{alive[leader].id};
    if (replication_factor > 1) {
      // Followers begin at another neighbour in each round, so that a failed broker's load spreads over all
      // others.
      std::vector<Candidate> others;
      const std::size_t round = first_shift + partition / alive.size();
      for (std::size_t step = 0; step + 1 < alive.size(); ++step) {
        others.push_back(alive[(leader + 1 + (round + step) % (alive.size() - 1)) % alive.size()]);
      }
      add_followers(chosen, std::move(others), alive[leader].rack, replication_factor);
      for (const Candidate& candidate : fenced) {
        if (chosen.size() < replication_factor) chosen.push_back(candidate.id);
      }
    }
    placed.push_back(std::move(chosen));
  }
  return placed;
}

DirectoryChooser::DirectoryChooser(const MetadataImage& image, BrokerId self, const BrokerConfig& config)
    : image_(image), self_(self), config_(config) {}

Uuid DirectoryChooser::choose(BrokerId broker) {
  std::vector<Directory>& directories = directories_of(broker);
  if (directories.empty()) return {};
  const auto fewest = std::ranges::min_element(directories, {}, &Directory::replicas);
  ++fewest->replicas;
  return fewest->id;
}

std::vector<DirectoryChooser::Directory>& DirectoryChooser::directories_of(BrokerId id) {
  const auto [at, is_new] = known_.try_emplace(id);
  std::vector<Directory>& directories = at->second;
  if (!is_new) return directories;
  const BrokerHandle broker = image_.broker(id);
  if (broker == nullptr) return directories;
  std::vector<std::string> cordoned;
  if (const auto text = config_.properties.find("cordoned.log.dirs");
      id == self_ && text != config_.properties.end()) {
    cordoned = parse_list(text->second);
  }
  const auto is_cordoned = [&](std::size_t index) {
    return std::ranges::any_of(cordoned, [&](const std::string& name) {
      return name == "*" || (index < config_.log_dirs.size() && config_.log_dirs[index] == name);
    });
  };
  for (std::size_t index = 0; index < broker->log_dirs.size(); ++index) {
    if (!is_cordoned(index) && !broker->log_dirs[index].is_zero())
      directories.push_back({broker->log_dirs[index], 0});
  }
  if (directories.empty()) {
    for (const Uuid& directory : broker->log_dirs) {
      if (!directory.is_zero()) directories.push_back({directory, 0});
    }
  }
  if (directories.size() < 2) return directories;
  for (const TopicHandle& topic : image_.topics) {
    for (const Partition& partition : topic->partitions) {
      const Replica* replica = partition.replica_on(id);
      if (replica == nullptr) continue;
      const auto directory = std::ranges::find(directories, replica->directory, &Directory::id);
      if (directory != directories.end()) ++directory->replicas;
    }
  }
  return directories;
}

}  // namespace tailwater::cluster
