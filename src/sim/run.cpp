#include "sim/run.hpp"

#include <map>
#include <memory>
#include <vector>

#include "records/batch.hpp"
#include "records/record.hpp"
#include "sim/broker.hpp"
#include "sim/client.hpp"
#include "sim/disk.hpp"
#include "sim/member.hpp"
#include "sim/producer.hpp"
#include "wire/api/create_topics.hpp"
#include "wire/api/fetch.hpp"
#include "wire/api/find_coordinator.hpp"

namespace tailwater::sim {

namespace {

constexpr std::string_view kTopic = "events";
constexpr std::string_view kGroup = "readers";
constexpr Duration kLimit = Duration::from_ms(600'000);
constexpr std::uint64_t kRecordsEach = 2'000;
constexpr std::int16_t kCreateTopicsVersion = 5;
constexpr std::int16_t kFindCoordinatorVersion = 3;
constexpr std::int16_t kFetchVersion = 11;
constexpr Duration kRetry = Duration::from_ms(10);

class World {
 public:
  explicit World(std::uint64_t seed)
      : agenda_(seed),
        disk_(agenda_, digest_),
        shards_(static_cast<std::uint32_t>(1 + agenda_.random().below(4))),
        partitions_(static_cast<std::int32_t>(1 + agenda_.random().below(8))),
        broker_(agenda_, digest_, disk_, shards_),
        admin_(broker_, "admin", [this] { ask_again(); }) {
    outcome_.seed = seed;
  }

  Outcome run() {
    broker_.start();
    begin();
    const Instant end = agenda_.now() + kLimit;
    while (!over_ && outcome_.failure.empty() && agenda_.step(end)) watch();
    if (!over_ && outcome_.failure.empty()) fail("no progress: " + progress());
    outcome_.events = agenda_.done();
    outcome_.simulated_ms = agenda_.now().nanoseconds / 1'000'000;
    outcome_.digest = digest_.value();
    outcome_.unseed = agenda_.random().next();
    return outcome_;
  }

 private:
  void fail(std::string what) {
    if (outcome_.failure.empty()) outcome_.failure = std::move(what);
  }

  std::string progress() const {
    std::string text;
    for (const auto& producer : producers_) {
      text += producer->name() + " " + std::to_string(producer->acknowledged()) + " acknowledged, ";
    }
    for (const auto& member : members_) {
      text +=
          member->name() + " " + std::to_string(member->records_read()) + " read (" + member->state() + "), ";
    }
    return text + std::to_string(outcome_.restarts) + " restarts";
  }

  void ask_again() {
    agenda_.after(kRetry, [this] {
      if (!admin_.busy()) again_();
    });
  }

  // --- the beginning: a topic, a coordinator
  void begin() {
    again_ = [this] { begin(); };
    wire::CreateTopicsRequest request;
    request.timeout_ms = 10'000;
    request.topics.push_back(
        {.name = std::string(kTopic), .num_partitions = partitions_, .replication_factor = 1});
    admin_.ask(kCreateTopicsVersion, request, [this](wire::CreateTopicsResponse&& response) {
      const auto error = response.topics.at(0).error_code;
      if (error != wire::ErrorCode::none && error != wire::ErrorCode::topic_already_exists) {
        return fail("create topic: " + std::string(wire::name(error)));
      }
      find_coordinator();
    });
  }

  void find_coordinator() {
    again_ = [this] { find_coordinator(); };
    wire::FindCoordinatorRequest request;
    request.key = kGroup;
    admin_.ask(kFindCoordinatorVersion, request, [this](wire::FindCoordinatorResponse&& response) {
      if (response.error_code != wire::ErrorCode::none) return ask_again();
      people();
    });
  }

  void people() {
    Prng& random = agenda_.random();
    const std::uint64_t producers = 1 + random.below(3);
    for (std::uint64_t index = 0; index < producers; ++index) {
      producers_.push_back(std::make_unique<Producer>(agenda_, broker_, "producer-" + std::to_string(index),
                                                      std::string(kTopic), partitions_, kRecordsEach));
      producers_.back()->start();
    }
    const std::uint64_t members = 1 + random.below(4);
    for (std::uint64_t index = 0; index < members; ++index) {
      members_.push_back(std::make_unique<Member>(
          agenda_, broker_, "member-" + std::to_string(index), std::string(kGroup), std::string(kTopic),
          partitions_, [this](std::int32_t generation, std::int32_t partition, const std::string& member) {
            given(generation, partition, member);
          }));
      agenda_.soon(Duration::from_ms(500), [member = members_.back().get()] { member->start(); });
    }
    restarts_left_ = random.below(4);
    plan_unrest();
  }

  // One owner per partition and generation.
  void given(std::int32_t generation, std::int32_t partition, const std::string& member) {
    const auto [at, fresh] = owners_.emplace(std::pair{generation, partition}, member);
    if (!fresh && at->second != member) {
      fail("partition " + std::to_string(partition) + " has two owners in generation " +
           std::to_string(generation));
    }
  }

  // --- members come and go, the broker restarts
  void plan_unrest() {
    agenda_.soon(Duration::from_ms(400), [this] {
      if (produced() || !outcome_.failure.empty()) return;
      Prng& random = agenda_.random();
      if (restarts_left_ > 0 && broker_.accepting() && random.one_in(3)) {
        --restarts_left_;
        ++outcome_.restarts;
        broker_.stop([this] { broker_.start(); });
      } else {
        Member& member = *members_[random.below(members_.size())];
        if (member.is_out()) {
          member.start();
        } else {
          member.leave();
        }
      }
      plan_unrest();
    });
  }

  bool produced() const {
    for (const auto& producer : producers_) {
      if (!producer->finished()) return false;
    }
    return !producers_.empty();
  }

  // --- the end: everybody is back, everything is read and committed, then looked at once more from the start
  void watch() {
    for (const auto& producer : producers_) {
      if (const std::string what = producer->complaint(); !what.empty()) fail(what);
    }
    for (const auto& member : members_) {
      if (const std::string what = member->complaint(); !what.empty()) fail(what);
    }
    if (!admin_.complaint().empty()) fail(admin_.complaint());
    if (!broker_.complaints().empty()) fail("the broker complains: " + broker_.complaints().front());
    if (verifying_ || !produced() || !broker_.accepting()) return;
    for (const auto& member : members_) member->start();
    if (!all_committed()) return;
    verifying_ = true;
    contents_.resize(static_cast<std::size_t>(partitions_));
    verify(0, 0);
  }

  std::int64_t expected_end(std::int32_t partition) const {
    std::uint64_t sum = 0;
    for (const auto& producer : producers_) {
      sum += producer->acknowledged_by_partition()[static_cast<std::size_t>(partition)];
    }
    return static_cast<std::int64_t>(sum);
  }

  bool all_committed() const {
    for (std::int32_t partition = 0; partition < partitions_; ++partition) {
      std::int64_t committed = 0;
      for (const auto& member : members_) {
        const auto at = member->committed().find(partition);
        if (at != member->committed().end()) committed = std::max(committed, at->second);
      }
      if (committed < expected_end(partition)) return false;
    }
    return true;
  }

  void verify(std::int32_t partition, std::int64_t offset) {
    if (partition == partitions_) return judge();
    again_ = [this, partition, offset] { verify(partition, offset); };
    wire::FetchRequest request;
    request.max_bytes = 1 << 20;
    auto& topic = request.topics.emplace_back();
    topic.topic = kTopic;
    topic.partitions.push_back(
        {.partition = partition, .fetch_offset = offset, .partition_max_bytes = 1 << 20});
    admin_.ask(kFetchVersion, request, [this, partition, offset](wire::FetchResponse&& response) {
      const auto& answer = response.responses.at(0).partitions.at(0);
      if (answer.error_code != wire::ErrorCode::none) {
        return fail("verifying fetch: " + std::string(wire::name(answer.error_code)));
      }
      std::int64_t next = offset;
      records::BatchCursor cursor(answer.records.value_or(Bytes{}));
      while (const auto batch = cursor.next()) {
        if (batch->base_offset().value != next)
          return fail("offsets of partition " + std::to_string(partition) + " are not dense at " +
                      std::to_string(next));
        auto records = records::records_of(*batch);
        while (const auto record = records.next()) {
          const Bytes value = record->value.value_or(Bytes{});
          contents_[static_cast<std::size_t>(partition)].emplace_back(as_text(value));
          digest_.add(value);
        }
        next = batch->last_offset().value + 1;
      }
      if (next == answer.high_watermark) return verify(partition + 1, 0);
      verify(partition, next);
    });
  }

  // Every acknowledged record is there once, each producer's in its order.
  void judge() {
    for (std::size_t partition = 0; partition < contents_.size(); ++partition) {
      std::map<std::string, std::uint64_t> next;
      for (const std::string& value : contents_[partition]) {
        const std::size_t colon = value.find(':');
        const std::string producer = value.substr(0, colon);
        const std::string number = value.substr(colon + 1, value.find(':', colon + 1) - colon - 1);
        if (number != std::to_string(next[producer]++)) {
          return fail("partition " + std::to_string(partition) + ": " + producer + "'s record " + number +
                      " stands where " + std::to_string(next[producer] - 1) + " belongs");
        }
      }
      for (const auto& producer : producers_) {
        const std::uint64_t promised = producer->acknowledged_by_partition()[partition];
        if (next[producer->name()] != promised) {
          return fail("partition " + std::to_string(partition) + ": " + std::to_string(promised) +
                      " records of " + producer->name() + " were acknowledged, " +
                      std::to_string(next[producer->name()]) + " are there");
        }
      }
    }
    for (const auto& producer : producers_) outcome_.acknowledged += producer->acknowledged();
    for (const auto& member : members_) outcome_.read += member->records_read();
    over_ = true;
  }

  Agenda agenda_;
  Digest digest_;
  Disk disk_;
  std::uint32_t shards_;
  std::int32_t partitions_;
  Broker broker_;
  Client admin_;
  std::function<void()> again_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Member>> members_;
  std::map<std::pair<std::int32_t, std::int32_t>, std::string> owners_;
  std::vector<std::vector<std::string>> contents_;
  std::uint64_t restarts_left_ = 0;
  bool verifying_ = false;
  bool over_ = false;
  Outcome outcome_;
};

}  // namespace

Outcome run(std::uint64_t seed) {
  return World(seed).run();
}

}  // namespace tailwater::sim
