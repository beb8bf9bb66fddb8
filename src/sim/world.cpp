#include "sim/world.hpp"

#include <algorithm>
#include <optional>

#include "sim/leftovers.hpp"
#include "sim/topics.hpp"
#include "wire/api/create_topics.hpp"
#include "wire/api/find_coordinator.hpp"
#include "wire/api/metadata.hpp"

namespace tailwater::sim {

namespace {

constexpr std::string_view kRecreated = "fleeting";
constexpr std::int8_t kOfGroups = 0;
constexpr std::int8_t kOfTransactions = 1;
constexpr std::string_view kGroup = "readers";
constexpr Duration kSetupMax = Duration::from_ms(20'000);
constexpr Duration kUnrest = Duration::from_ms(110'000);
constexpr Duration kMoreUnrest = Duration::from_ms(10'000);  // and again, where too little has happened
constexpr Duration kUnrestMax = Duration::from_ms(400'000);
constexpr Duration kHealedLoad = Duration::from_ms(10'000);
constexpr Duration kHealingMax = Duration::from_ms(60'000);
constexpr Duration kWatch = Duration::from_ms(100);
// What the broker may take to end a transaction whose time is over.
constexpr Duration kHangingMax = Duration::from_ms(10'000);
constexpr Duration kRetry = Duration::from_ms(10);
constexpr Duration kIdleMax = Duration::from_ms(20'000);
constexpr std::uint64_t kAcknowledgedMin = 2'000;
// Far more than anything that makes sense takes: something turns in circles.
constexpr std::uint64_t kEventsMax = 4'000'000;
constexpr std::uint64_t kFaultsMin = 5;
constexpr std::int64_t kSimulatedMsMin = 120'000;
constexpr std::int16_t kCreateTopicsVersion = 5;
constexpr std::int16_t kFindCoordinatorVersion = 3;
constexpr std::int16_t kMetadataVersion = 12;

Options options_of(std::uint64_t seed) {
  Prng random(seed ^ 0x6f7074696f6e73ULL);
  return draw_options(random);
}

BrokerSetup setup_of(const Options& options) {
  std::vector<std::string> dirs;
  for (std::uint64_t dir = 0; dir < options.log_dirs; ++dir) dirs.push_back("d" + std::to_string(dir));
  return {.shards = options.shards,
          .memory_bytes = options.memory_bytes,
          .log_dirs = std::move(dirs),
          .mail_delay_max = options.mail_delay_max,
          .settings = {{"log.retention.check.interval.ms", "2000"},
                       {"log.cleaner.backoff.ms", "1000"},
                       {"tailwater.journal.bytes", std::to_string(options.journal_bytes)},
                       {"tailwater.direct.bytes", std::to_string(options.direct_bytes)},
                       {"tailwater.recycle.bytes", std::to_string(options.recycle_bytes)},
                       {"log.message.timestamp.after.max.ms", "9223372036854775807"}}};
}

}  // namespace

World::World(std::uint64_t seed, Notes notes)
    : seed_(seed),
      agenda_(seed),
      options_(options_of(seed)),
      disk_(agenda_, digest_, &counts_),
      broker_(agenda_, digest_, disk_, setup_of(options_)),
      nemesis_(agenda_, disk_, broker_, ledger_, counts_, options_),
      admin_(agenda_, broker_.network(), "admin", [this] { ask_again(); }) {
  broker_.network().set_delay_max(options_.network_delay_max);
  broker_.network().set_idle_max(kIdleMax);
  if (notes == Notes::kept) agenda_.keep_notes();
}

Outcome World::run() {
  Outcome outcome;
  outcome.seed = seed_;
  outcome.options = options_.text();
  broker_.start();
  deadline_ = agenda_.now() + kSetupMax;
  create_topics();
  while (phase_ != Phase::over && ledger_.failure().empty()) {
    if (agenda_.done() > kEventsMax || !agenda_.step(deadline_)) {
      outcome.verdict = Verdict::liveness;
      outcome.failure = "S10: no rest in time: " + progress();
      break;
    }
    if (looked_ <= agenda_.now()) check_complaints();
  }
  if (outcome.verdict == Verdict::held && !ledger_.failure().empty()) {
    outcome.verdict = Verdict::safety;
    outcome.failure = ledger_.failure();
  }
  outcome.events = agenda_.done();
  outcome.acknowledged = ledger_.acknowledged_count();
  outcome.read = ledger_.seen_count();
  outcome.simulated_ms = agenda_.now().nanoseconds / 1'000'000;
  const bool idle = outcome.acknowledged < kAcknowledgedMin || counts_.total() < kFaultsMin ||
                    outcome.simulated_ms < kSimulatedMsMin;
  if (outcome.verdict == Verdict::held && idle) {
    outcome.verdict = Verdict::idle;
    outcome.failure = "too little happened: " + std::to_string(outcome.acknowledged) +
                      " records acknowledged, " + std::to_string(counts_.total()) + " faults in " +
                      std::to_string(outcome.simulated_ms) + " ms";
  }
  outcome.faults = counts_;
  outcome.digest = digest_.value();
  outcome.notes = agenda_.notes();
  outcome.unseed = agenda_.random().next();
  return outcome;
}

// Now and then: what clients and the disk complain about is a failure.
void World::check_complaints() {
  looked_ = agenda_.now() + kWatch;
  const auto look = [&](const Client& client) {
    if (!client.complaint().empty()) ledger_.fail(client.complaint());
  };
  for (const auto& producer : producers_) look(producer->client());
  for (const auto& consumer : consumers_) look(consumer->client());
  for (const auto& member : members_) look(member->client());
  for (const auto& transactor : transactors_) look(transactor->client());
  if (haunter_) look(haunter_->client());
  if (recreator_) look(recreator_->client());
  if (trimmer_) look(trimmer_->client());
  if (keeper_) look(keeper_->client());
  for (const auto& auditor : auditors_) look(auditor->client());
  if (committed_reader_) look(committed_reader_->client());
  if (committed_auditor_) look(committed_auditor_->client());
  look(admin_);
  if (!disk_.complaints().empty()) ledger_.fail("the disk is misused: " + disk_.complaints().front());
}

std::string World::progress() const {
  std::string text = "phase " + std::to_string(static_cast<int>(phase_));
  if (!broker_.accepting()) text += ", the broker does not serve " + broker_.failure();
  for (const auto& producer : producers_) text += ", " + producer->state();
  for (const auto& member : members_) text += ", " + member->name() + ": " + member->state();
  for (const auto& transactor : transactors_) text += ", " + transactor->state();
  if (haunter_) text += ", " + haunter_->state();
  if (recreator_) text += ", " + recreator_->state();
  if (committed_reader_) text += ", " + committed_reader_->state();
  if (committed_auditor_) text += ", " + committed_auditor_->state();
  if (keeper_) text += ", " + keeper_->state();
  for (const auto& auditor : auditors_) text += ", " + auditor->state();
  for (std::int32_t partition = 0; partition < options_.partitions; ++partition) {
    text += ", " + std::to_string(watch_.floor(partition)) + " of " +
            std::to_string(ledger_.floor(tracks_.at(static_cast<std::size_t>(partition))).end) + " committed";
  }
  if (!left_behind_.empty()) text += ", left behind: " + left_behind_;
  return text;
}

void World::ask_again() {
  agenda_.after(kRetry, [this] {
    if (!admin_.busy() && again_) again_();
  });
}

// --- setup

void World::create_topics() {
  again_ = [this] { create_topics(); };
  if (tracks_.empty()) {
    for (std::int32_t partition = 0; partition < options_.partitions; ++partition) {
      const std::string folder = std::string(kMain) + "-" + std::to_string(partition);
      tracks_.push_back(
          ledger_.add_track(folder, options_.expires() ? Retention::expires : Retention::keeps));
      nemesis_.add_victim(folder, tracks_.back(), Fault::rot_records);
    }
  }
  admin_.ask(kCreateTopicsVersion, topics_of(options_), [this](wire::CreateTopicsResponse&& response) {
    for (const auto& made : response.topics) {
      if (made.error_code == wire::ErrorCode::none ||
          made.error_code == wire::ErrorCode::topic_already_exists)
        continue;
      return ledger_.fail("create topic: " + std::string(wire::name(made.error_code)));
    }
    find_ids();
  });
}

void World::find_ids() {
  again_ = [this] { find_ids(); };
  wire::MetadataRequest request;
  admin_.ask(kMetadataVersion, request, [this](wire::MetadataResponse&& response) {
    for (const auto& topic : response.topics) {
      if (topic.error_code != wire::ErrorCode::none) return ask_again();
      ids_[std::string(topic.name.value_or(""))] = topic.topic_id;
    }
    find_coordinator(kOfGroups);
  });
}

Topic World::topic(std::string_view name) const {
  return {std::string(name), ids_.at(std::string(name))};
}

// Makes the coordinators' topics.
void World::find_coordinator(std::int8_t of) {
  again_ = [this, of] { find_coordinator(of); };
  wire::FindCoordinatorRequest request;
  request.key = kGroup;
  request.key_type = of;
  admin_.ask(kFindCoordinatorVersion, request, [this, of](wire::FindCoordinatorResponse&& response) {
    if (response.error_code != wire::ErrorCode::none) return ask_again();
    if (of == kOfGroups && options_.transactors > 0) return find_coordinator(kOfTransactions);
    begin_unrest();
  });
}

// --- unrest

void World::add_producer(const std::string& name, std::string_view topic,
                         const std::vector<TrackNumber>& tracks, Promise promise) {
  ProducerSetup setup;
  setup.name = name;
  setup.topic = World::topic(topic);
  setup.tracks = tracks;
  setup.promise = promise;
  setup.acks = promise == Promise::exactly_once || agenda_.random().one_in(2) ? -1 : 1;
  setup.pause_max = options_.producer_pause_max;
  setup.padding_max = options_.padding_max;
  producers_.push_back(std::make_unique<Producer>(agenda_, broker_.network(), ledger_, std::move(setup)));
  nemesis_.add_victim(producers_.back()->client());
  producers_.back()->start();
}

void World::begin_unrest() {
  phase_ = Phase::unrest;
  deadline_ = Instant::max();
  for (std::uint64_t index = 0; index < options_.exact_producers; ++index)
    add_producer("exact-" + std::to_string(index), kMain, tracks_, Promise::exactly_once);
  for (std::uint64_t index = 0; index < options_.plain_producers; ++index)
    add_producer("plain-" + std::to_string(index), kMain, tracks_, Promise::at_least_once);
  for (std::uint64_t index = 0; index < options_.consumers; ++index) {
    consumers_.push_back(std::make_unique<Consumer>(agenda_, broker_.network(), ledger_,
                                                    "consumer-" + std::to_string(index), topic(kMain),
                                                    tracks_, Consumer::Until::stopped));
    nemesis_.add_victim(consumers_.back()->client());
    consumers_.back()->start();
  }
  for (std::uint64_t index = 0; index < options_.members; ++index) {
    members_.push_back(std::make_unique<Member>(
        agenda_, broker_.network(), ledger_, watch_, "member-" + std::to_string(index), std::string(kGroup),
        topic(kMain), tracks_, agenda_.random().one_in(3) ? Member::Kind::fixed : Member::Kind::dynamic));
    nemesis_.add_victim(members_.back()->client());
    agenda_.soon(Duration::from_ms(500), [member = members_.back().get()] { member->start(); });
  }
  plan_members();
  add_transactors();
  add_recreator();
  add_others();
  nemesis_.start();
  agenda_.after(kUnrest, [this] { end_unrest(); });
}

void World::add_transactor(TransactorSetup setup) {
  setup.topic = topic(kTransactional);
  setup.tracks = transactional_tracks_;
  setup.bumping = agenda_.random().one_in(2);
  setup.timeout_ms = options_.transaction_timeout_ms;
  setup.pause_max = options_.producer_pause_max;
  setup.padding_max = options_.padding_max;
  transactors_.push_back(
      std::make_unique<Transactor>(agenda_, broker_.network(), ledger_, transactions_, std::move(setup)));
  Transactor& added = *transactors_.back();
  nemesis_.add_victim(added.client());
  if (haunter_)
    haunter_->follow(added.client(),
                     added.bumping() ? Haunter::Epochs::one_each : Haunter::Epochs::one_for_many,
                     [&added] { return added.identity(); });
  added.start();
}

void World::add_transactors() {
  if (options_.transactors == 0) return;
  for (std::int32_t partition = 0; partition < kTransactionalPartitions; ++partition) {
    const std::string folder = std::string(kTransactional) + "-" + std::to_string(partition);
    transactional_tracks_.push_back(ledger_.add_track(folder, Retention::keeps));
    nemesis_.add_victim(folder, transactional_tracks_.back(), Fault::rot_transactional);
  }
  if (options_.has(Fault::late_request))
    haunter_ = std::make_unique<Haunter>(agenda_, broker_.network(), ledger_, transactions_, counts_);
  // The first may have a rival.
  const bool rivalry = options_.has(Fault::rival);
  for (std::uint64_t index = 0; index < options_.transactors; ++index) {
    TransactorSetup setup;
    setup.name = "transactor-" + std::to_string(index);
    setup.has_rival = rivalry && index == 0;
    if (index < options_.transformers) {
      const std::size_t partition = agenda_.random().below(tracks_.size());
      setup.input = {.group = "transformers-" + std::to_string(index),
                     .topic = topic(kMain),
                     .partition = static_cast<std::int32_t>(partition),
                     .track = tracks_[partition]};
    }
    add_transactor(std::move(setup));
  }
  if (rivalry) {
    counts_.add(Fault::rival);
    TransactorSetup setup;
    setup.name = "rival";
    setup.transactional_id = transactors_.front()->client().name();
    setup.has_rival = true;
    add_transactor(std::move(setup));
  }
  committed_reader_ =
      std::make_unique<CommittedReader>(agenda_, broker_.network(), ledger_, transactions_,
                                        "committed-reader", topic(kTransactional), transactional_tracks_);
  stable_watch_ = std::make_unique<StableWatch>(
      ledger_, Duration::from_ms(options_.transaction_timeout_ms) + kHangingMax);
  committed_reader_->report_to(*stable_watch_, [this] { return nemesis_.calm_since(); });
  nemesis_.add_victim(committed_reader_->client());
  committed_reader_->start();
}

void World::add_recreator() {
  if (!options_.recreates) return;
  recreator_ = std::make_unique<Recreator>(
      agenda_, broker_.network(), ledger_,
      RecreatorSetup{.name = "recreator",
                     .topic = std::string(kRecreated),
                     .partitions = static_cast<std::int32_t>(1 + agenda_.random().below(2)),
                     .delete_delay_ms = options_.delete_delay_ms});
  nemesis_.add_victim(recreator_->client());
  recreator_->start();
}

void World::add_others() {
  if (options_.trims) {
    trimmer_ = std::make_unique<Trimmer>(agenda_, broker_.network(), ledger_, std::string(kMain), tracks_);
    nemesis_.add_victim(trimmer_->client());
    trimmer_->start();
  }
  if (options_.compacts) {
    const std::string folder = std::string(kCompacted) + "-0";
    const TrackNumber track = ledger_.add_track(folder, Retention::expires);
    nemesis_.add_victim(folder, track, Fault::rot_compacted);
    keeper_ = std::make_unique<Keeper>(agenda_, broker_.network(), ledger_, topic(kCompacted), track,
                                       options_.producer_pause_max);
    nemesis_.add_victim(keeper_->client());
    keeper_->start();
  }
  if (options_.hasty_messages < 0) return;
  for (std::int32_t partition = 0; partition < kHastyPartitions; ++partition) {
    hasty_tracks_.push_back(ledger_.add_track(std::string(kHasty) + "-" + std::to_string(partition),
                                              Retention::keeps,
                                              options_.hasty_messages == 1 ? Hold::all : Hold::beginning));
  }
  add_producer("hasty", kHasty, hasty_tracks_, Promise::at_least_once);
}

// Members come and go.
void World::plan_members() {
  agenda_.soon(Duration::from_ms(10'000), [this] {
    if (phase_ != Phase::unrest) return;
    Member& member = *members_[agenda_.random().below(members_.size())];
    if (member.is_out()) {
      member.start();
    } else {
      member.leave();
    }
    plan_members();
  });
}

// --- the end

void World::end_unrest() {
  const bool idle = ledger_.acknowledged_count() < kAcknowledgedMin || counts_.total() < kFaultsMin;
  if (idle && agenda_.now() < Instant{} + kUnrestMax)
    return agenda_.after(kMoreUnrest, [this] { end_unrest(); });
  begin_healing();
}

void World::begin_healing() {
  phase_ = Phase::healing;
  deadline_ = agenda_.now() + kHealingMax;
  nemesis_.heal();
  agenda_.after(kHealedLoad, [this] {
    for (const auto& producer : producers_) producer->finish();
    for (const auto& transactor : transactors_) transactor->finish();
    if (haunter_) haunter_->finish();
    if (recreator_) recreator_->finish();
    if (trimmer_) trimmer_->finish();
    if (keeper_) keeper_->finish();
    watch_healing();
  });
}

void World::watch_healing() {
  for (const auto& member : members_) member->start();
  if (!all_written_ && writers_finished()) {
    all_written_ = true;
    if (committed_reader_) committed_reader_->look_anew();
  }
  if (at_rest()) return begin_looking();
  agenda_.after(kWatch, [this] { watch_healing(); });
}

bool World::writers_finished() const {
  return std::ranges::all_of(producers_, [](const auto& each) { return each->finished(); }) &&
         std::ranges::all_of(transactors_, [](const auto& each) { return each->finished(); }) &&
         (!haunter_ || haunter_->finished()) && (!recreator_ || recreator_->finished()) &&
         (!trimmer_ || trimmer_->finished()) && (!keeper_ || keeper_->finished());
}

bool World::at_rest() const {
  if (!all_written_) return false;
  // Also what was left open is ended by now.
  if (committed_reader_ && !committed_reader_->at_end()) return false;
  for (const auto& member : members_) {
    if (!member->settled() || member->generation() != members_.front()->generation()) return false;
  }
  for (std::size_t partition = 0; partition < tracks_.size(); ++partition) {
    const std::int64_t end = ledger_.floor(tracks_[partition]).end;
    if (end > 0 && watch_.floor(static_cast<std::int32_t>(partition)) < end) return false;
  }
  return true;
}

void World::begin_looking() {
  phase_ = Phase::looking;
  ledger_.begin_last_look();
  add_auditor("auditor", kMain, tracks_);
  if (!hasty_tracks_.empty()) add_auditor("hasty-auditor", kHasty, hasty_tracks_);
  if (committed_reader_) {
    committed_auditor_ =
        std::make_unique<CommittedReader>(agenda_, broker_.network(), ledger_, transactions_,
                                          "committed-auditor", topic(kTransactional), transactional_tracks_);
    committed_auditor_->start();
    add_auditor("transactional-auditor", kTransactional, transactional_tracks_);
  }
  begin_leaving();
}

void World::add_auditor(const std::string& name, std::string_view topic,
                        const std::vector<TrackNumber>& tracks) {
  auditors_.push_back(std::make_unique<Consumer>(agenda_, broker_.network(), ledger_, name,
                                                 World::topic(topic), tracks, Consumer::Until::end));
  auditors_.back()->start();
}

void World::begin_leaving() {
  const bool read = std::ranges::all_of(auditors_, [](const auto& each) { return each->done(); });
  if (!read || (committed_auditor_ && !committed_auditor_->at_end())) {
    agenda_.after(kWatch, [this] { begin_leaving(); });
    return;
  }
  if (phase_ == Phase::looking) {
    ledger_.judge();
    if (committed_reader_) {
      transactions_.judge(committed_reader_->shown());
      transactions_.judge(committed_auditor_->shown());
      committed_reader_->stop();
      committed_auditor_->stop();
    }
    phase_ = Phase::leaving;
    for (const auto& member : members_) member->leave();
    for (const auto& consumer : consumers_) consumer->stop();
    for (const auto& producer : producers_) producer->client().disconnect();
    for (const auto& transactor : transactors_) transactor->client().disconnect();
    if (haunter_) haunter_->client().disconnect();
    if (recreator_) recreator_->client().disconnect();
    if (trimmer_) trimmer_->client().disconnect();
    if (keeper_) keeper_->client().disconnect();
    for (const auto& auditor : auditors_) auditor->client().disconnect();
    admin_.disconnect();
  }
  const bool all_out = std::ranges::all_of(members_, [](const auto& each) { return each->is_out(); });
  const bool all_idle =
      std::ranges::all_of(consumers_, [](const auto& each) { return !each->client().busy(); }) &&
      (!committed_reader_ || (!committed_reader_->client().busy() && !committed_auditor_->client().busy()));
  if (all_out && all_idle) {
    for (const auto& member : members_) member->client().disconnect();
    for (const auto& consumer : consumers_) consumer->client().disconnect();
    if (committed_reader_) {
      committed_reader_->client().disconnect();
      committed_auditor_->client().disconnect();
    }
    left_behind_ = leftovers(broker_, disk_, recreator_ ? kRecreated : std::string_view());
    if (left_behind_.empty()) phase_ = Phase::over;
  }
  agenda_.after(kWatch, [this] { begin_leaving(); });
}

}  // namespace tailwater::sim
