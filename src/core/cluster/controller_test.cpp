// Goal: nothing is answered with success before it is stored, nothing is applied that was not stored,
// whatever the store does; and what is stored makes the image that was published. Method: a store that the
// test answers for, each outcome at each step; then random requests against the store in memory with
// failures, compared with a reader of that store.
#include "core/cluster/controller.hpp"

#include <gtest/gtest.h>

#include "core/cluster/decide_test_support.hpp"
#include "core/cluster/memory_metadata_store.hpp"

namespace tailwater::cluster {
namespace {

using wire::ErrorCode;

const Error kFull{Errc::out_of_space, {}};

ImageHandle started() {
  Draft draft = draft_with(1);
  return draft.seal(MetadataVersion{5}, {kSelf, ControllerEpoch{1}, 0});
}

MetadataController controller_with(std::size_t entry_bytes_max = kEntryBytesMax,
                                   std::uint64_t snapshot_every = 1000) {
  MetadataController::Options options;
  options.self = kSelf;
  options.epoch = ControllerEpoch{2};
  options.seed = 5;
  options.entry_bytes_max = entry_bytes_max;
  options.snapshot_every = snapshot_every;
  return MetadataController(options, parse_broker_config({}).config, started());
}

wire::CreateTopicsRequest create(const std::string& name, std::int32_t partitions = 1) {
  wire::CreateTopicsRequest request;
  request.topics = {wanted_topic(name, partitions)};
  return request;
}

ControllerEffects flushed(MetadataController& controller) {
  ControllerEffects effects;
  controller.flush(effects);
  return effects;
}

// "ticket:code" of each reply to a CreateTopics request.
std::string replies_of(const ControllerEffects& effects) {
  std::string text;
  for (const ControllerReply& reply : effects.replies) {
    const auto& topic = std::get<wire::CreateTopicsResponse>(reply.response).topics.at(0);
    text += std::to_string(reply.ticket.value) + ":" + std::string(wire::name(topic.error_code)) + " ";
  }
  return text;
}

std::string names(const MetadataImage& image) {
  std::string text;
  for (const TopicHandle& topic : image.topics) text += topic->name + " ";
  return text;
}

std::vector<Record> records_of(const StoreAppend& append) {
  const auto batch = decode_batch(append.batch);
  EXPECT_TRUE(batch) << batch.error().message;
  return batch ? batch->records : std::vector<Record>{};
}

TEST(Controller, AnswersWhenTheEntryIsStored) {
  MetadataController controller = controller_with();
  controller.create_topics(Ticket{1}, create("a"));
  ControllerEffects effects = flushed(controller);
  ASSERT_EQ(effects.appends.size(), 1u);
  EXPECT_EQ(effects.appends[0].expected_head, MetadataVersion{5});
  EXPECT_EQ(author_of(effects.appends[0].batch)->controller, kSelf);
  EXPECT_EQ(author_of(effects.appends[0].batch)->epoch, ControllerEpoch{2});
  EXPECT_TRUE(effects.replies.empty());
  EXPECT_EQ(effects.image, nullptr);
  EXPECT_EQ(names(*controller.image()), "");
  controller.stored(effects.appends[0].token, MetadataVersion{6});
  effects = flushed(controller);
  EXPECT_EQ(replies_of(effects), "1:NONE ");
  ASSERT_NE(effects.image, nullptr);
  EXPECT_EQ(effects.image->version, MetadataVersion{6});
  EXPECT_EQ(effects.image->controller_epoch, ControllerEpoch{2});
  EXPECT_EQ(names(*effects.image), "a ");
  EXPECT_TRUE(effects.appends.empty());
  effects = flushed(controller);
  EXPECT_TRUE(effects.replies.empty());
  EXPECT_EQ(effects.image, nullptr);
}

TEST(Controller, GathersWhatIsDecidedWhileAnAppendIsInFlight) {
  MetadataController controller = controller_with();
  controller.create_topics(Ticket{1}, create("a"));
  const ControllerEffects first = flushed(controller);
  controller.create_topics(Ticket{2}, create("b"));
  EXPECT_TRUE(flushed(controller).appends.empty());
  controller.create_topics(Ticket{3}, create("c"));
  controller.create_topics(Ticket{4}, create("a"));  // exists in the future only
  EXPECT_TRUE(flushed(controller).appends.empty());
  controller.stored(first.appends[0].token, MetadataVersion{6});
  const ControllerEffects second = flushed(controller);
  EXPECT_EQ(replies_of(second), "1:NONE ");
  EXPECT_EQ(names(*second.image), "a ");
  ASSERT_EQ(second.appends.size(), 1u);
  EXPECT_EQ(second.appends[0].expected_head, MetadataVersion{6});
  controller.stored(second.appends[0].token, MetadataVersion{7});
  const ControllerEffects third = flushed(controller);
  EXPECT_EQ(replies_of(third), "2:NONE 3:NONE 4:TOPIC_ALREADY_EXISTS ");
  EXPECT_EQ(names(*third.image), "a b c ");
}

TEST(Controller, ARefusalWaitsOnlyForWhatItRestsOn) {
  MetadataController controller = controller_with();
  controller.create_topics(Ticket{1}, create("bad name"));
  ControllerEffects effects = flushed(controller);
  EXPECT_EQ(replies_of(effects), "1:INVALID_TOPIC_EXCEPTION ");
  EXPECT_TRUE(effects.appends.empty());
  controller.create_topics(Ticket{2}, create("a"));
  effects = flushed(controller);
  controller.create_topics(Ticket{3}, create("a"));
  EXPECT_EQ(replies_of(flushed(controller)), "");
  controller.stored(effects.appends[0].token, MetadataVersion{6});
  EXPECT_EQ(replies_of(flushed(controller)), "2:NONE 3:TOPIC_ALREADY_EXISTS ");
}

TEST(Controller, AFailedAppendFailsAllThatRestsOnIt) {
  const std::pair<Errc, std::string> cases[] = {{Errc::out_of_space, "KAFKA_STORAGE_ERROR"},
                                                {Errc::storage, "KAFKA_STORAGE_ERROR"},
                                                {Errc::already_exists, "NOT_CONTROLLER"},
                                                {Errc::unavailable, "REQUEST_TIMED_OUT"}};
  for (const auto& [error, code] : cases) {
    MetadataController controller = controller_with();
    controller.create_topics(Ticket{1}, create("a"));
    const ControllerEffects first = flushed(controller);
    controller.create_topics(Ticket{2}, create("b"));
    flushed(controller);
    controller.create_topics(Ticket{3}, create("bad name"));
    controller.stored(first.appends[0].token, fail(error, "why"));
    const ControllerEffects failed = flushed(controller);
    EXPECT_EQ(replies_of(failed), "1:" + code + " 2:" + code + " 3:INVALID_TOPIC_EXCEPTION ");
    EXPECT_TRUE(failed.appends.empty());
    EXPECT_EQ(failed.image, nullptr);
    const auto& topic = std::get<wire::CreateTopicsResponse>(failed.replies[0].response).topics[0];
    EXPECT_EQ(topic.error_message, "why");
    EXPECT_TRUE(topic.topic_id.is_zero());
    EXPECT_TRUE(topic.configs->empty());
    // And it goes on from what is stored.
    controller.create_topics(Ticket{4}, create("a"));
    const ControllerEffects again = flushed(controller);
    ASSERT_EQ(again.appends.size(), 1u);
    EXPECT_EQ(again.appends[0].expected_head, MetadataVersion{5});
    controller.stored(again.appends[0].token, MetadataVersion{6});
    EXPECT_EQ(replies_of(flushed(controller)), "4:NONE ");
    EXPECT_EQ(names(*controller.image()), "a ");
  }
}

TEST(Controller, EveryKindOfAnswerFails) {
  MetadataController controller = controller_with();
  controller.create_topics(Ticket{1}, create("t"));
  ControllerEffects effects = flushed(controller);
  controller.stored(effects.appends[0].token, MetadataVersion{6});
  flushed(controller);

  wire::CreatePartitionsRequest partitions;
  partitions.topics.emplace_back().name = "t";
  partitions.topics[0].count = 2;
  controller.create_partitions(Ticket{1}, partitions);
  wire::IncrementalAlterConfigsRequest increment;
  increment.resources.push_back({2, "t", {{"retention.ms", 0, "1"}}});
  controller.incremental_alter_configs(Ticket{2}, increment);
  wire::AlterConfigsRequest alter;
  alter.resources.push_back({2, "t", {{"retention.ms", "2"}}});
  controller.alter_configs(Ticket{3}, alter);
  wire::ElectLeadersRequest election;
  election.topic_partitions.emplace().push_back({"t", {0}});
  controller.elect_leaders(Ticket{4}, election);
  controller.ensure_topics(Ticket{5}, {"u", "t"});
  controller.allocate_producer_ids(Ticket{6}, kSelf);
  wire::DeleteTopicsRequest removal;
  removal.topics.emplace_back().name = "t";
  controller.delete_topics(Ticket{7}, removal);
  effects = flushed(controller);
  controller.stored(effects.appends.at(0).token, std::unexpected(kFull));
  effects = flushed(controller);
  ASSERT_EQ(effects.replies.size(), 7u);
  const auto code = ErrorCode::kafka_storage_error;
  EXPECT_EQ(std::get<wire::CreatePartitionsResponse>(effects.replies[0].response).results[0].error_code,
            code);
  EXPECT_EQ(
      std::get<wire::IncrementalAlterConfigsResponse>(effects.replies[1].response).responses[0].error_code,
      code);
  EXPECT_EQ(std::get<wire::AlterConfigsResponse>(effects.replies[2].response).responses[0].error_code, code);
  EXPECT_EQ(std::get<wire::ElectLeadersResponse>(effects.replies[3].response)
                .replica_election_results[0]
                .partition_result[0]
                .error_code,
            ErrorCode::election_not_needed);
  EXPECT_EQ(std::get<EnsuredTopics>(effects.replies[4].response).topics[0].error_code, 56);
  EXPECT_EQ(std::get<ProducerIdBlock>(effects.replies[5].response).error_code, 56);
  EXPECT_EQ(std::get<ProducerIdBlock>(effects.replies[5].response).first, -1);
  EXPECT_EQ(std::get<wire::DeleteTopicsResponse>(effects.replies[6].response).responses[0].error_code, code);
  EXPECT_EQ(names(*controller.image()), "t ");
}

TEST(Controller, DecidesByWhatWasReloaded) {
  MetadataController controller = controller_with();
  controller.reload(parse_broker_config({{"num.partitions", "3"}, {"delete.topic.enable", "false"}}).config);
  controller.create_topics(Ticket{1}, create("a", -1));
  const ControllerEffects effects = flushed(controller);
  ASSERT_EQ(effects.appends.size(), 1u);
  controller.stored(effects.appends[0].token, MetadataVersion{6});
  EXPECT_EQ(controller.image()->topic("a")->partitions.size(), 3u);
  wire::DeleteTopicsRequest request;
  request.topics.push_back({"a", Uuid{}});
  controller.delete_topics(Ticket{2}, request);
  const ControllerEffects refused = flushed(controller);
  const auto& response = std::get<wire::DeleteTopicsResponse>(refused.replies.back().response);
  EXPECT_EQ(response.responses.at(0).error_code, ErrorCode::topic_deletion_disabled);
}

TEST(Controller, OutcomesOfUnknownTokensAreIgnored) {
  MetadataController controller = controller_with();
  controller.stored(StoreToken{0}, MetadataVersion{9});
  controller.stored(StoreToken{77}, std::unexpected(kFull));
  controller.create_topics(Ticket{1}, create("a"));
  const ControllerEffects effects = flushed(controller);
  controller.stored(StoreToken{effects.appends[0].token.value + 1}, MetadataVersion{6});
  EXPECT_TRUE(flushed(controller).replies.empty());
  controller.stored(effects.appends[0].token, MetadataVersion{6});
  controller.stored(effects.appends[0].token, std::unexpected(kFull));
  EXPECT_EQ(replies_of(flushed(controller)), "1:NONE ");
}

// --- changes of several entries

TEST(Controller, ALargeChangeIsSeveralEntriesThatCountTogether) {
  MetadataController controller = controller_with(1000);
  ChangelogReader reader(started());
  controller.create_topics(Ticket{1}, create("big", 100));
  std::uint64_t entries = 0;
  ControllerEffects effects = flushed(controller);
  while (!effects.appends.empty()) {
    ASSERT_EQ(effects.appends.size(), 1u);
    ASSERT_TRUE(effects.replies.empty());
    ASSERT_EQ(effects.image, nullptr);
    const StoreAppend& append = effects.appends[0];
    EXPECT_LE(append.batch.size(), 1000u);
    EXPECT_EQ(append.expected_head, MetadataVersion{5 + entries});
    ++entries;
    ASSERT_TRUE(reader.add({MetadataVersion{5 + entries}, append.batch}));
    controller.stored(append.token, MetadataVersion{5 + entries});
    effects = flushed(controller);
  }
  EXPECT_GT(entries, 5u);
  EXPECT_EQ(replies_of(effects), "1:NONE ");
  EXPECT_EQ(effects.image->version, MetadataVersion{5 + entries});
  EXPECT_EQ(effects.image->topic("big")->partitions.size(), 100u);
  EXPECT_FALSE(reader.inside_change());
  EXPECT_EQ(write_snapshot(*reader.image()), write_snapshot(*effects.image));
}

TEST(Controller, ALargeChangeThatFailsAtAnyStepIsGivenUpFirst) {
  // How many entries it is.
  std::uint64_t count = 0;
  {
    MetadataController controller = controller_with(1000);
    controller.create_topics(Ticket{1}, create("big", 60));
    for (auto effects = flushed(controller); !effects.appends.empty(); effects = flushed(controller)) {
      controller.stored(effects.appends[0].token, MetadataVersion{5 + ++count});
    }
  }
  ASSERT_GT(count, 3u);
  for (std::uint64_t stored = 0; stored < count; ++stored) {
    MetadataController controller = controller_with(1000);
    ChangelogReader reader(started());
    controller.create_topics(Ticket{1}, create("big", 60));
    std::uint64_t head = 5;
    const auto store = [&](const StoreAppend& append) {
      EXPECT_EQ(append.expected_head, MetadataVersion{head});
      ++head;
      ASSERT_TRUE(reader.add({MetadataVersion{head}, append.batch}));
      controller.stored(append.token, MetadataVersion{head});
    };
    for (std::uint64_t entry = 0; entry < stored; ++entry) store(flushed(controller).appends.at(0));
    controller.stored(flushed(controller).appends.at(0).token, std::unexpected(kFull));
    EXPECT_EQ(replies_of(flushed(controller)), "1:KAFKA_STORAGE_ERROR ");
    EXPECT_EQ(reader.inside_change(), stored > 0);
    controller.create_topics(Ticket{2}, create("small"));
    ControllerEffects effects = flushed(controller);
    EXPECT_EQ(std::holds_alternative<wire::AbortTransactionRecord>(records_of(effects.appends.at(0)).at(0)),
              stored > 0);
    while (!effects.appends.empty()) {
      store(effects.appends[0]);
      effects = flushed(controller);
    }
    EXPECT_EQ(replies_of(effects), "2:NONE ");
    EXPECT_EQ(names(*effects.image), "small ");
    EXPECT_EQ(effects.image->version, MetadataVersion{head});
    EXPECT_EQ(write_snapshot(*reader.image()), write_snapshot(*effects.image));
  }
}

TEST(Controller, TenThousandPartitionsFitEntriesOfHalfAMebibyte) {
  MetadataController controller = controller_with();
  controller.create_topics(Ticket{1}, create("huge", 10'000));
  std::uint64_t head = 5;
  ControllerEffects effects = flushed(controller);
  for (; !effects.appends.empty(); effects = flushed(controller)) {
    EXPECT_LE(effects.appends[0].batch.size(), kEntryBytesMax);
    controller.stored(effects.appends[0].token, MetadataVersion{++head});
  }
  EXPECT_EQ(head, 7u);
  EXPECT_EQ(effects.image->partition_count, 10'000u);
}

// --- snapshots and reading again

TEST(Controller, ASnapshotIsDueEverySoManyEntries) {
  MetadataController controller = controller_with(kEntryBytesMax, 3);
  std::vector<std::uint64_t> versions;
  for (std::uint64_t head = 6; head <= 14; ++head) {
    controller.create_topics(Ticket{head}, create("t" + std::to_string(head)));
    controller.stored(flushed(controller).appends.at(0).token, MetadataVersion{head});
    const ControllerEffects effects = flushed(controller);
    for (const StoreSnapshot& snapshot : effects.snapshots) {
      versions.push_back(snapshot.version.value);
      const auto image = read_snapshot({snapshot.version, snapshot.chunks});
      ASSERT_TRUE(image);
      EXPECT_EQ(names(**image), names(*controller.image()));
    }
  }
  EXPECT_EQ(versions, (std::vector<std::uint64_t>{6, 9, 12}));
}

TEST(Controller, GoesOnFromWhatWasReadAgain) {
  MetadataController controller = controller_with();
  controller.create_topics(Ticket{1}, create("a"));
  const StoreAppend lost = flushed(controller).appends.at(0);
  controller.create_topics(Ticket{2}, create("b"));
  // The outcome is unknown; reading shows that the entry is there.
  ChangelogReader reader(started());
  ASSERT_TRUE(reader.add({MetadataVersion{6}, lost.batch}));
  controller.resync(reader);
  ControllerEffects effects = flushed(controller);
  EXPECT_EQ(replies_of(effects), "1:REQUEST_TIMED_OUT 2:REQUEST_TIMED_OUT ");
  ASSERT_NE(effects.image, nullptr);
  EXPECT_EQ(names(*effects.image), "a ");
  controller.stored(lost.token, std::unexpected(kFull));  // too late
  controller.create_topics(Ticket{3}, create("c"));
  effects = flushed(controller);
  EXPECT_EQ(effects.appends.at(0).expected_head, MetadataVersion{6});
  controller.stored(effects.appends[0].token, MetadataVersion{7});
  EXPECT_EQ(names(*flushed(controller).image), "a c ");
}

TEST(Controller, AChangeLeftOpenByAPredecessorIsGivenUp) {
  MetadataController controller = controller_with();
  ChangelogReader reader(started());
  ASSERT_TRUE(reader.add(
      {MetadataVersion{6}, encode_batch({{}, {wire::BeginTransactionRecord{}, wire::NoOpRecord{}}})}));
  controller.resync(reader);
  controller.create_topics(Ticket{1}, create("a"));
  for (ControllerEffects effects = flushed(controller); !effects.appends.empty();
       effects = flushed(controller)) {
    const MetadataVersion version = effects.appends[0].expected_head.next();
    ASSERT_TRUE(reader.add({version, effects.appends[0].batch}));
    controller.stored(effects.appends[0].token, version);
  }
  EXPECT_FALSE(reader.inside_change());
  EXPECT_EQ(names(*reader.image()), "a ");
  EXPECT_EQ(reader.image()->version, MetadataVersion{8});
}

// --- at random

class RandomRun {
 public:
  explicit RandomRun(std::uint64_t seed) : random_(seed), controller_(controller_with_store(seed)) {
    controller_.bootstrap("c");
    controller_.brokers_changed(registrations(3));
  }

  void run() {
    for (int step = 0; step < 300; ++step) {
      if (random_.one_in(2)) ask();
      if (random_.one_in(2)) turn();
      if (in_flight_ && random_.one_in(2)) answer();
    }
    for (int step = 0; step < 50; ++step) {
      turn();
      if (in_flight_) answer();
    }
    EXPECT_EQ(open_, 0);
    const auto reader = load_changelog(store_);
    ASSERT_TRUE(reader) << reader.error().message;
    EXPECT_EQ(write_snapshot(*reader->image()), write_snapshot(*controller_.image()));
    EXPECT_EQ(reader->last_read(), *store_.head());
  }

 private:
  static MetadataController controller_with_store(std::uint64_t seed) {
    MetadataController::Options options;
    options.self = kSelf;
    options.epoch = ControllerEpoch{1};
    options.seed = seed;
    options.entry_bytes_max = 700;
    options.snapshot_every = 10;
    return MetadataController(options, parse_broker_config({}).config,
                              std::make_shared<const MetadataImage>());
  }

  void ask() {
    const std::string name = "t" + std::to_string(random_.below(8));
    const Ticket ticket{++tickets_};
    ++open_;
    switch (random_.below(6)) {
      case 0: {
        wire::DeleteTopicsRequest request;
        request.topics.emplace_back().name = name;
        return controller_.delete_topics(ticket, request);
      }
      case 1: {
        wire::CreatePartitionsRequest request;
        request.topics.emplace_back().name = name;
        request.topics[0].count = static_cast<std::int32_t>(random_.below(20));
        return controller_.create_partitions(ticket, request);
      }
      case 2: {
        wire::IncrementalAlterConfigsRequest request;
        request.resources.push_back({2, name, {{"retention.ms", 0, std::to_string(random_.below(5))}}});
        return controller_.incremental_alter_configs(ticket, request);
      }
      case 3:
        return controller_.allocate_producer_ids(ticket, kSelf);
      default:
        return controller_.create_topics(ticket, create(name, static_cast<std::int32_t>(random_.below(15))));
    }
  }

  void turn() {
    ControllerEffects effects;
    controller_.flush(effects);
    open_ -= static_cast<std::int64_t>(effects.replies.size());
    for (const StoreSnapshot& snapshot : effects.snapshots) {
      EXPECT_TRUE(store_.put_snapshot(snapshot.version, snapshot.chunks));
    }
    EXPECT_LE(effects.appends.size(), 1u);
    if (effects.appends.empty()) return;
    EXPECT_FALSE(in_flight_);
    in_flight_ = std::move(effects.appends[0]);
  }

  void answer() {
    if (random_.one_in(6)) {
      controller_.stored(in_flight_->token, std::unexpected(kFull));
    } else {
      controller_.stored(in_flight_->token, store_.append(in_flight_->expected_head, in_flight_->batch));
    }
    in_flight_.reset();
  }

  Prng random_;
  MemoryMetadataStore store_;
  MetadataController controller_;
  std::optional<StoreAppend> in_flight_;
  std::uint64_t tickets_ = 0;
  std::int64_t open_ = 0;
};

TEST(Controller, WhateverTheStoreDoesTheImageIsWhatIsStored) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    RandomRun(seed).run();
  }
}

}  // namespace
}  // namespace tailwater::cluster
