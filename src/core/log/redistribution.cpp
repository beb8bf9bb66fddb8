#include "core/log/redistribution.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "core/log/recycler.hpp"

namespace tailwater::log {

namespace {

constexpr std::string_view kDealt = "dealt";
constexpr std::uint64_t kMagic = 0x544c4145444c4157;  // "WALDEALT"
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kHeaderSize = 16;
constexpr std::size_t kCrcSize = 4;
constexpr DiskToken kOfRings{1};
constexpr DiskToken kOfManifests{2};

// The number that a name begins with, if `mark` follows it.
std::optional<std::uint32_t> shard_of_name(std::string_view name, std::string_view mark) {
  std::uint32_t shard = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), shard);
  if (error != std::errc{} || !std::string_view(end, name.data() + name.size()).starts_with(mark)) {
    return std::nullopt;
  }
  return shard;
}

// dealt  magic u64, version u32, count u32, count times (size u32, manifest), crc u32 of all before it
Buffer encode_dealt(const std::vector<Buffer>& manifests) {
  Buffer bytes(kHeaderSize);
  store_little(bytes.data(), kMagic);
  store_little(bytes.data() + 8, kVersion);
  store_little(bytes.data() + 12, static_cast<std::uint32_t>(manifests.size()));
  const auto put = [&bytes](std::uint32_t number) {
    bytes.resize(bytes.size() + sizeof number);
    store_little(bytes.data() + bytes.size() - sizeof number, number);
  };
  for (const Buffer& manifest : manifests) {
    put(static_cast<std::uint32_t>(manifest.size()));
    bytes.insert(bytes.end(), manifest.begin(), manifest.end());
  }
  put(crc32c(bytes));
  return bytes;
}

Result<std::vector<Buffer>> decode_dealt(Bytes bytes) {
  const Error damaged{Errc::corrupt, "manifest/dealt is damaged"};
  if (bytes.size() < kHeaderSize + kCrcSize) return std::unexpected(damaged);
  const std::size_t content = bytes.size() - kCrcSize;
  if (load_little<std::uint32_t>(bytes.data() + content) != crc32c(bytes.first(content)) ||
      load_little<std::uint64_t>(bytes.data()) != kMagic) {
    return std::unexpected(damaged);
  }
  if (load_little<std::uint32_t>(bytes.data() + 8) != kVersion) {
    return std::unexpected(Error{Errc::unsupported, "manifest/dealt is of another version"});
  }
  const auto count = load_little<std::uint32_t>(bytes.data() + 12);
  Bytes rest = bytes.subspan(kHeaderSize, content - kHeaderSize);
  std::vector<Buffer> manifests;
  while (manifests.size() < count) {
    if (rest.size() < 4) return std::unexpected(damaged);
    const auto size = load_little<std::uint32_t>(rest.data());
    rest = rest.subspan(4);
    if (rest.size() < size) return std::unexpected(damaged);
    manifests.emplace_back(rest.begin(), rest.begin() + size);
    rest = rest.subspan(size);
  }
  if (!rest.empty()) return std::unexpected(damaged);
  return manifests;
}

}  // namespace

Redistribution::Redistribution(StorageOptions options, std::uint32_t shards, Home home)
    : options_(std::move(options)), shards_(shards), home_(std::move(home)) {
  // What cannot be used now is made ready when it can.
  for (const DirId dir : options_.dirs) {
    if (!options_.unusable_dirs.contains(dir)) places_.push_back({.id = dir});
  }
}

Redistribution::~Redistribution() = default;

void Redistribution::fail(std::string reason) {
  step_ = Step::over;
  if (failure_.empty()) failure_ = std::move(reason);
}

DiskOp& Redistribution::send(const Place& place, DiskOpKind kind, std::string path) {
  DiskOp op;
  op.kind = kind;
  op.dir = place.id;
  op.path = std::move(path);
  ++outstanding_;
  outbox_.push_back(std::move(op));
  return outbox_.back();
}

void Redistribution::start(Now now, DiskEffects& effects) {
  now_ = now;
  survey();
  turn(now, effects);
}

void Redistribution::completed(DiskDone done, Now now) {
  now_ = now;
  if (step_ == Step::over) return;
  if (step_ == Step::drain) {
    --in_flight_;
    const auto opened = opening_.find(done.token);
    if (opened != opening_.end()) {
      if (done.outcome) open_.emplace(opened->second, done.dir);
      opening_.erase(opened);
    }
    storage_->completed(std::move(done), now);
    return;
  }
  --outstanding_;
  const bool absent = !done.outcome && done.outcome.error().code == Errc::not_found;
  // A directory that cannot even do that fails its shards soon, and not the others' start.
  const bool may_fail = (absent && step_ == Step::survey) || step_ == Step::forget;
  if (!done.outcome && !may_fail) return fail(done.outcome.error().message);
  if (step_ == Step::survey) listed(std::move(done));
  if (step_ == Step::load) loaded(std::move(done));
  if (outstanding_ == 0 && step_ != Step::over) next_step();
}

void Redistribution::turn(Now now, DiskEffects& effects) {
  now_ = now;
  if (step_ == Step::drain) {
    if (!stopping_ && storage_->recovered()) {
      stopping_ = true;
      storage_->stop();
    }
    DiskEffects wishes;
    storage_->clear_news();
    std::ranges::move(storage_->take_faults(), std::back_inserter(faults_));
    storage_->turn(now, wishes);
    pass_on(wishes);
    if (stopping_ && storage_->stopped() && in_flight_ == 0) collect();
  }
  std::ranges::move(outbox_, std::back_inserter(effects));
  outbox_.clear();
}

Instant Redistribution::next_deadline() const {
  if (step_ != Step::drain) return Instant::max();
  // That it has recovered is seen in a turn only.
  return !stopping_ && storage_->recovered() ? Instant{} : storage_->next_deadline();
}

void Redistribution::next_step() {
  switch (step_) {
    case Step::survey:
      return judge();
    case Step::load:
      return clear();
    case Step::close:
      return drain_next();
    case Step::settle:
      return deal();
    case Step::clear:
      return bare();
    case Step::bare:
      return seed();
    case Step::seed:
      return finish();
    case Step::deal:
    case Step::finish:
      return survey();
    case Step::forget:
      step_ = Step::over;
      return;
    case Step::drain:
    case Step::over:
      return;
  }
}

// --- what is there

void Redistribution::survey() {
  step_ = Step::survey;
  for (Place& place : places_) {
    place = {.id = place.id};
    send(place, DiskOpKind::list, "journal").token = kOfRings;
    send(place, DiskOpKind::list, "manifest").token = kOfManifests;
  }
}

void Redistribution::listed(DiskDone done) {
  const auto place = std::ranges::find(places_, done.dir, &Place::id);
  CHECK(place != places_.end());
  const bool rings = done.token == kOfRings;
  for (std::string& name : done.names) {
    if (!rings && name == kDealt) place->dealt = true;
    // The rings of a shard are "<shard>.jnl" and "<shard>-os.jnl", the manifests "<shard>-<generation>" and
    // "<shard>-os-<generation>".
    const auto shard = shard_of_name(name, rings && !name.ends_with("-os.jnl") ? ".jnl" : "-");
    if (!shard) continue;
    place->shards = std::max(place->shards, *shard + 1);
    (rings ? place->rings : place->manifests).push_back(std::move(name));
  }
}

void Redistribution::judge() {
  const auto strange = [this](const Place& place) { return is_strange(place); };
  if (std::ranges::any_of(places_, &Place::dealt)) {
    step_ = Step::load;
    for (const Place& place : places_) {
      if (place.dealt) send(place, DiskOpKind::load, "manifest/dealt");
    }
  } else if (std::ranges::any_of(places_, strange)) {
    draining_ = 0;
    drain_next();
  } else {
    forget();
  }
}

void Redistribution::loaded(DiskDone done) {
  auto manifests = decode_dealt(done.content);
  if (!manifests) return fail(manifests.error().message);
  std::ranges::find(places_, done.dir, &Place::id)->seeds = std::move(*manifests);
}

// --- emptying the old rings

void Redistribution::drain_next() {
  StorageOptions options = options_;
  options.dirs.clear();
  options.recycle_bytes.reset();
  bool more = false;
  for (const Place& place : places_) {
    if (!is_strange(place) || place.shards <= draining_) continue;
    more = true;
    options.dirs.push_back(place.id);
  }
  if (!more) return settle();
  step_ = Step::drain;
  stopping_ = false;
  options.shard = ShardId{draining_};
  options.seed = options_.seed + draining_;
  storage_ = std::make_unique<Storage>(std::move(options));
  DiskEffects wishes;
  storage_->start(now_, wishes);
  pass_on(wishes);
}

void Redistribution::pass_on(DiskEffects& wishes) {
  in_flight_ += wishes.size();
  for (DiskOp& op : wishes) {
    if (op.kind == DiskOpKind::open) opening_[op.token] = op.file;
    if (op.kind == DiskOpKind::close) open_.erase({op.file, op.dir});
    outbox_.push_back(std::move(op));
  }
}

void Redistribution::collect() {
  for (Place& place : places_) {
    if (!is_strange(place) || place.shards <= draining_) continue;
    const DirReport& report = storage_->report(place.id);
    if (report.state == DirState::offline) return fail(report.failure.message);
    for (const bool soft : {false, true}) {
      if (soft && !options_.os_ring) continue;
      Manifest state = storage_->describe(place.id, soft);
      std::ranges::move(state.logs, std::back_inserter(place.logs[soft]));
      std::ranges::move(state.doomed, std::back_inserter(place.doomed[soft]));
    }
  }
  storage_.reset();
  ++draining_;
  step_ = Step::close;
  for (const auto& [file, dir] : std::exchange(open_, {})) {
    const auto place = std::ranges::find(places_, dir, &Place::id);
    send(*place, DiskOpKind::close, {}).file = file;
  }
  if (outstanding_ == 0) next_step();
}

// --- the new shards

void Redistribution::settle() {
  step_ = Step::settle;
  for (const Place& place : places_) {
    if (is_strange(place)) send(place, DiskOpKind::sync_all, {});
  }
}

void Redistribution::deal() {
  step_ = Step::deal;
  Prng random(options_.seed);
  for (Place& place : places_) {
    if (!is_strange(place)) continue;
    changes_.push_back({place.id, place.shards, place.logs[0].size() + place.logs[1].size()});
    const std::vector<Manifest> hard = deal(place, false, random);
    const std::vector<Manifest> soft = deal(place, true, random);
    std::vector<Buffer> seeds;
    for (std::size_t shard = 0; shard < shards_; ++shard) {
      seeds.push_back(encode(hard[shard]));
      // A soft ring is made when it has something to hold.
      const bool empty = soft[shard].logs.empty() && soft[shard].doomed.empty();
      seeds.push_back(empty ? Buffer{} : encode(soft[shard]));
    }
    send(place, DiskOpKind::replace, "manifest/dealt").content = encode_dealt(seeds);
  }
}

// The manifests of one kind of ring, by new shard.
std::vector<Manifest> Redistribution::deal(Place& place, bool soft, Prng& random) const {
  std::vector<Manifest> dealt(shards_);
  for (Manifest& manifest : dealt) {
    manifest.generation = 1;
    manifest.journal_id = random.next();
    manifest.next_log_id = (manifest.journal_id & 0xffff'ffff'0000'0000ULL) + 1;
  }
  std::map<LogId, std::uint32_t> homes;
  for (ManifestLog& log : place.logs[soft]) {
    const std::uint32_t home = home_(log.topic, log.partition).value;
    homes.emplace(log.id, home);
    dealt.at(home).logs.push_back(std::move(log));
  }
  // Files that a log is to lose go with it. A folder goes where a new topic of that name does.
  for (DoomedPath& path : place.doomed[soft]) {
    const auto home = homes.find(path.log);
    dealt.at(home == homes.end() ? home_of_folder(path.path) : home->second)
        .doomed.push_back(std::move(path));
  }
  return dealt;
}

std::uint32_t Redistribution::home_of_folder(std::string_view folder) const {
  const std::size_t dash = folder.rfind('-');
  std::int32_t partition = 0;
  if (dash == std::string_view::npos ||
      std::from_chars(folder.data() + dash + 1, folder.data() + folder.size(), partition).ec != std::errc{})
    return 0;
  return home_(folder.substr(0, dash), PartitionId{partition}).value;
}

void Redistribution::clear() {
  step_ = Step::clear;
  for (const Place& place : places_) {
    if (!place.dealt) continue;
    for (const std::string& name : place.rings)
      send(place, DiskOpKind::remove, "journal/" + name).durable = true;
    for (const std::string& name : place.manifests) {
      send(place, DiskOpKind::remove, "manifest/" + name).durable = true;
    }
    // A shard looks after the files that it put there: of one that is no more nobody would.
    send(place, DiskOpKind::remove, std::string(kRecycled)).durable = true;
  }
  if (outstanding_ == 0) next_step();
}

void Redistribution::bare() {
  step_ = Step::bare;
  for (const Place& place : places_) {
    if (place.dealt) send(place, DiskOpKind::sync_all, {});
  }
}

void Redistribution::seed() {
  step_ = Step::seed;
  for (Place& place : places_) {
    for (std::size_t seed = 0; place.dealt && seed < place.seeds.size(); ++seed) {
      const bool soft = seed % 2 == 1;
      if (place.seeds[seed].empty()) continue;
      send(place, DiskOpKind::replace,
           "manifest/" + journal_name(static_cast<std::uint32_t>(seed / 2), soft) + "-1")
          .content = std::move(place.seeds[seed]);
    }
  }
}

void Redistribution::finish() {
  step_ = Step::finish;
  for (const Place& place : places_) {
    if (place.dealt) send(place, DiskOpKind::remove, "manifest/dealt").durable = true;
  }
}

void Redistribution::forget() {
  step_ = Step::forget;
  for (const Place& place : places_) {
    if (place.shards > 0) send(place, DiskOpKind::remove, "manifest/dealt").durable = true;
  }
  if (outstanding_ == 0) next_step();
}

}  // namespace tailwater::log
