// The metadata store on a thread of its own: takes the appends and snapshots of shard 0 in order and reports
// each append's outcome. Stores may wait for disks and networks; shards may not.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "core/cluster/metadata_store.hpp"
#include "shell/log/log.hpp"

namespace tailwater::shell {

class StoreThread {
 public:
  using Report =
      std::function<void(cluster::StoreToken, cluster::StoreOutcome)>;  // called on the store's thread

  StoreThread(cluster::MetadataStore& store, Log& log, Report report);
  // Carries out what was put, then ends.
  ~StoreThread();

  void put(std::vector<cluster::StoreAppend>&& appends, std::vector<cluster::StoreSnapshot>&& snapshots);
  void stop();

 private:
  using Job = std::variant<cluster::StoreAppend, cluster::StoreSnapshot>;

  void run();
  void carry_out(Job& job);

  cluster::MetadataStore& store_;
  Log& log_;
  Report report_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace tailwater::shell
