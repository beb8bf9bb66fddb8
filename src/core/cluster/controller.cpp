// The controller: gathers decisions into entries of the changelog, one append in flight, answers when they
// are stored.
#include "core/cluster/controller.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "core/cluster/changelog.hpp"
#include "core/cluster/decide.hpp"
#include "core/cluster/draft.hpp"

namespace tailwater::cluster {

namespace {

using wire::ErrorCode;

// Kafka's code for a store that did not do it.
ErrorCode code_of(Errc error) {
  switch (error) {
    case Errc::already_exists:
      return ErrorCode::not_controller;
    case Errc::unavailable:
      return ErrorCode::request_timed_out;
    default:
      return ErrorCode::kafka_storage_error;
  }
}

// Turns granted items of an answer into failed ones; what was refused anyway stays.
struct FailItems {
  ErrorCode code;
  const std::string& message;

  template <class Item>
  void fail(Item& item) const {
    if (item.error_code != ErrorCode::none) return;
    item.error_code = code;
    item.error_message = message;
  }
  void operator()(wire::CreateTopicsResponse& response) const {
    for (auto& topic : response.topics) {
      if (topic.error_code != ErrorCode::none) continue;
      const std::string name = topic.name;
      topic = {};
      topic.name = name;
      topic.configs.emplace();
      fail(topic);
    }
  }
  void operator()(wire::DeleteTopicsResponse& response) const {
    for (auto& topic : response.responses) fail(topic);
  }
  void operator()(wire::CreatePartitionsResponse& response) const {
    for (auto& topic : response.results) fail(topic);
  }
  void operator()(wire::AlterConfigsResponse& response) const {
    for (auto& resource : response.responses) fail(resource);
  }
  void operator()(wire::IncrementalAlterConfigsResponse& response) const {
    for (auto& resource : response.responses) fail(resource);
  }
  void operator()(wire::ElectLeadersResponse& response) const {
    for (auto& topic : response.replica_election_results) {
      for (auto& partition : topic.partition_result) fail(partition);
    }
  }
  void operator()(wire::UpdateFeaturesResponse& response) const {
    if (response.error_code != ErrorCode::none) return;
    response.results.clear();
    response.error_code = code;
    response.error_message = message;
  }
  void operator()(wire::AlterPartitionResponse& response) const {
    if (response.error_code == ErrorCode::none) response = {.error_code = code};
  }
  void operator()(wire::AlterPartitionReassignmentsResponse& response) const {
    for (auto& topic : response.responses) {
      for (auto& partition : topic.partitions) fail(partition);
    }
  }
  void operator()(EnsuredTopics& ensured) const {
    for (auto& item : ensured.topics) {
      if (item.error_code == 0) item = {item.name, static_cast<std::int16_t>(code), message};
    }
  }
  void operator()(ProducerIdBlock& block) const {
    if (block.error_code == 0) block = {static_cast<std::int16_t>(code), -1, 0};
  }
};

}  // namespace

struct MetadataController::State {
  struct Entry {
    Buffer batch;
    bool leaves_open = false;  // ends inside a change of several entries
  };
  // Decisions that go to the store together.
  struct Group {
    std::deque<Entry> entries;  // the first is at the store if an append is in flight
    ImageHandle image;          // when all of them are stored
    std::vector<ControllerReply> replies;
  };

  State(Options opts, BrokerConfig from_file, ImageHandle newest)
      : options(opts),
        draft(opts.self, std::move(from_file), newest, opts.seed),
        stored_image(std::move(newest)),
        head(stored_image->version),
        nonces(opts.seed ^ 0x6e6f6e636573ULL) {}

  BatchAuthor author() { return {options.self, options.epoch, nonces.next()}; }
  void reply(Ticket ticket, ControllerResponse response) {
    gathered_replies.push_back({ticket, std::move(response)});
  }
  std::deque<Entry> form_entries(const std::vector<Buffer>& frames);
  void start_group();
  void append_next(ControllerEffects& effects);
  void fail_everything(const Error& error);

  Options options;
  Draft draft;
  ImageHandle stored_image;
  MetadataVersion head;  // of the changelog, as far as this controller knows
  Prng nonces;
  std::uint64_t last_token = 0;
  std::vector<ControllerReply> gathered_replies;  // of decisions since the last flush
  std::optional<Group> group;                     // at the store
  StoreToken in_flight;                           // value 0: nothing is
  bool change_left_open = false;                  // a change of several entries failed in its middle
  bool image_is_new = false;
  std::vector<ControllerReply> ready;
  std::vector<StoreSnapshot> snapshots;
};

MetadataController::MetadataController(Options options, BrokerConfig from_file, ImageHandle image)
    : state_(std::make_unique<State>(options, std::move(from_file), std::move(image))) {}

MetadataController::~MetadataController() = default;

const ImageHandle& MetadataController::image() const {
  return state_->stored_image;
}

void MetadataController::bootstrap(std::string cluster_id) {
  decide_bootstrap(state_->draft, cluster_id);
}

void MetadataController::brokers_changed(const std::vector<Registration>& registrations) {
  decide_brokers(state_->draft, registrations);
}

void MetadataController::create_topics(Ticket ticket, const wire::CreateTopicsRequest& request) {
  state_->reply(ticket, decide(state_->draft, request));
}

void MetadataController::delete_topics(Ticket ticket, const wire::DeleteTopicsRequest& request) {
  state_->reply(ticket, decide(state_->draft, request));
}

void MetadataController::create_partitions(Ticket ticket, const wire::CreatePartitionsRequest& request) {
  state_->reply(ticket, decide(state_->draft, request));
}

void MetadataController::alter_configs(Ticket ticket, const wire::AlterConfigsRequest& request) {
  state_->reply(ticket, decide(state_->draft, request));
}

void MetadataController::incremental_alter_configs(Ticket ticket,
                                                   const wire::IncrementalAlterConfigsRequest& request) {
  state_->reply(ticket, decide(state_->draft, request));
}

void MetadataController::elect_leaders(Ticket ticket, const wire::ElectLeadersRequest& request) {
  state_->reply(ticket, decide(state_->draft, request));
}

void MetadataController::update_features(Ticket ticket, const wire::UpdateFeaturesRequest& request) {
  state_->reply(ticket, decide(state_->draft, request));
}

void MetadataController::alter_partition(Ticket ticket, const wire::AlterPartitionRequest& request) {
  state_->reply(ticket, decide(state_->draft, request));
}

void MetadataController::alter_partition_reassignments(
    Ticket ticket, const wire::AlterPartitionReassignmentsRequest& request) {
  state_->reply(ticket, decide(state_->draft, request));
}

void MetadataController::ensure_topics(Ticket ticket, const std::vector<std::string>& names) {
  state_->reply(ticket, decide_ensure_topics(state_->draft, names));
}

void MetadataController::allocate_producer_ids(Ticket ticket, BrokerId broker) {
  state_->reply(ticket, decide_producer_ids(state_->draft, broker));
}

// One entry if the frames fit, else a change of several; an open one of before is given up first.
std::deque<MetadataController::State::Entry> MetadataController::State::form_entries(
    const std::vector<Buffer>& frames) {
  std::deque<Entry> entries;
  BatchBuilder builder;
  if (change_left_open) {
    builder.add(encode_record(wire::AbortTransactionRecord{}));
    entries.push_back({builder.finish(author()), false});
  }
  std::size_t total = BatchBuilder::kBatchOverhead;
  for (const Buffer& frame : frames) total += frame.size() + BatchBuilder::kFrameOverhead;
  const Buffer end = encode_record(wire::EndTransactionRecord{});
  const bool several = total > options.entry_bytes_max;
  if (several) builder.add(encode_record(wire::BeginTransactionRecord{}));
  const std::size_t reserved = several ? end.size() + BatchBuilder::kFrameOverhead : 0;
  for (const Buffer& frame : frames) {
    const std::size_t size = builder.size() + frame.size() + BatchBuilder::kFrameOverhead + reserved;
    if (several && builder.count() > 0 && size > options.entry_bytes_max) {
      entries.push_back({builder.finish(author()), true});
    }
    builder.add(frame);
  }
  if (several) builder.add(end);
  entries.push_back({builder.finish(author()), false});
  return entries;
}

void MetadataController::State::start_group() {
  if (group) {
    // Decisions without records of their own rest on what is being stored: they wait for it.
    if (!draft.has_frames()) {
      std::ranges::move(gathered_replies, std::back_inserter(group->replies));
      gathered_replies.clear();
    }
    return;
  }
  if (!draft.has_frames()) {
    std::ranges::move(gathered_replies, std::back_inserter(ready));
    gathered_replies.clear();
    return;
  }
  Group next;
  next.entries = form_entries(draft.take_frames());
  next.image =
      draft.seal(MetadataVersion{head.value + next.entries.size()}, {options.self, options.epoch, 0});
  next.replies = std::exchange(gathered_replies, {});
  group = std::move(next);
}

void MetadataController::State::append_next(ControllerEffects& effects) {
  if (!group || in_flight.value != 0) return;
  in_flight = StoreToken{++last_token};
  effects.appends.push_back({in_flight, head, std::move(group->entries.front().batch)});
}

void MetadataController::State::fail_everything(const Error& error) {
  const FailItems fail{code_of(error.code), error.message};
  const auto give_back = [&](std::vector<ControllerReply>& replies) {
    for (ControllerReply& reply : replies) {
      std::visit(fail, reply.response);
      ready.push_back(std::move(reply));
    }
    replies.clear();
  };
  if (group) give_back(group->replies);
  give_back(gathered_replies);
  group.reset();
  draft.reset(stored_image);
}

void MetadataController::reload(BrokerConfig from_file) {
  state_->draft.reload(std::move(from_file));
}

void MetadataController::stored(StoreToken token, StoreOutcome outcome) {
  State& state = *state_;
  if (token.value == 0 || token != state.in_flight) return;
  state.in_flight = StoreToken{};
  if (!outcome) {
    state.fail_everything(outcome.error());
    return;
  }
  state.head = *outcome;
  state.change_left_open = state.group->entries.front().leaves_open;
  state.group->entries.pop_front();
  if (!state.group->entries.empty()) return;
  const std::uint64_t before = state.stored_image->version.value / state.options.snapshot_every;
  state.stored_image = std::exchange(state.group->image, nullptr);
  state.image_is_new = true;
  std::ranges::move(state.group->replies, std::back_inserter(state.ready));
  state.group.reset();
  if (state.stored_image->version.value / state.options.snapshot_every != before) {
    state.snapshots.push_back({state.stored_image->version, write_snapshot(*state.stored_image)});
  }
}

void MetadataController::resync(const ChangelogReader& newest) {
  State& state = *state_;
  state.in_flight = StoreToken{};
  state.fail_everything({Errc::unavailable, "the metadata had to be read again"});
  state.image_is_new |= newest.image()->version != state.stored_image->version;
  state.stored_image = newest.image();
  state.head = newest.last_read();
  state.change_left_open = newest.inside_change();
  state.draft.reset(state.stored_image);
}

void MetadataController::flush(ControllerEffects& effects) {
  State& state = *state_;
  state.start_group();
  state.append_next(effects);
  if (std::exchange(state.image_is_new, false)) effects.image = state.stored_image;
  std::ranges::move(state.ready, std::back_inserter(effects.replies));
  state.ready.clear();
  std::ranges::move(state.snapshots, std::back_inserter(effects.snapshots));
  state.snapshots.clear();
}

}  // namespace tailwater::cluster
