#include "sim/disk.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/crc32c.hpp"
#include "core/journal/format.hpp"

namespace tailwater::sim {

namespace {

constexpr Duration kWriteTimeMax = Duration::from_us(400);
constexpr Duration kReadTimeMax = Duration::from_us(300);
constexpr Duration kStructureTimeMax = Duration::from_us(2'000);

std::uint32_t checksum(const DiskOp& op) {
  std::uint32_t crc = 0;
  for (const Bytes piece : op.pieces) crc = crc32c(piece, crc);
  return crc;
}

Duration longest(DiskOpKind kind) {
  if (kind == DiskOpKind::write) return kWriteTimeMax;
  return kind == DiskOpKind::read ? kReadTimeMax : kStructureTimeMax;
}

}  // namespace

bool is_hard_ring(std::string_view path) {
  return path.ends_with(".jnl") && !path.ends_with("-os.jnl");
}

std::uint64_t Disk::enter(Done done) {
  const std::uint64_t id = model_.enter();
  users_.emplace(id, std::move(done));
  return id;
}

void Disk::submit(std::uint64_t user, DiskOp op) {
  CHECK(users_.contains(user));
  ++operations_;
  const std::uint64_t id = next_flight_++;
  Flight& flight = flights_[id];
  flight.crc = checksum(op);
  flight.submitted = model_.now();
  flight.user = user;
  digest_.add(static_cast<std::uint64_t>(op.kind));
  digest_.add(op.path);
  digest_.add(op.at);
  digest_.add(op.size);
  digest_.add(flight.crc);
  digest_.add(Bytes(op.content));
  const bool fixed = op.kind == DiskOpKind::write && write_time_ > Duration{};
  const Duration bound{longest(op.kind).nanoseconds * static_cast<std::int64_t>(slowness_)};
  flight.op = std::move(op);
  if (fixed) {
    agenda_.after(write_time_, [this, id] { land(id); });
  } else {
    agenda_.soon(bound, [this, id] { land(id); });
  }
}

void Disk::land(std::uint64_t id) {
  auto node = flights_.extract(id);
  if (node.empty()) return;
  Flight& flight = node.mapped();
  const auto user = users_.find(flight.user);
  if (user == users_.end()) return land_late(std::move(flight));
  if (flight.crc != checksum(flight.op))
    model_.complain("the memory of a write changed while it was in flight");
  DiskDone done;
  if (fails(flight.op)) {
    done = model_.refuse(flight.user, flight.op, {Errc::storage, "simulated input/output error"},
                         agenda_.random());
    failed_ = true;
  } else if (goes_astray(flight)) {
    done = lose_write(flight);
  } else {
    done = model_.perform(flight.user, flight.op, flight.submitted);
    ran_out_ = ran_out_ || (!done.outcome && done.outcome.error().code == Errc::out_of_space);
  }
  const bool ahead = at_overtaking_ && overtakes(id, flight);
  user->second(std::move(done));
  if (ahead) std::exchange(at_overtaking_, nullptr)();
}

bool Disk::is_frame(const Flight& flight) const {
  return flight.op.kind == DiskOpKind::write && flight.op.at >= journal::kRingStart &&
         is_hard_ring(model_.path_of(flight.user, flight.op.file));
}

bool Disk::overtakes(std::uint64_t id, const Flight& flight) const {
  if (!is_frame(flight)) return false;
  return std::any_of(flights_.begin(), flights_.lower_bound(id), [&](const auto& earlier) {
    const Flight& other = earlier.second;
    return other.user == flight.user && other.op.file == flight.op.file && is_frame(other);
  });
}

bool Disk::goes_astray(const Flight& flight) const {
  return armed_ == Fault::misdirected_superblock && flight.op.kind == DiskOpKind::write &&
         flight.op.at < journal::kRingStart && is_hard_ring(model_.path_of(flight.user, flight.op.file));
}

// The disk says that it is written. Its place has what it had.
DiskDone Disk::lose_write(Flight& flight) {
  const std::string path = model_.path_of(flight.user, flight.op.file);
  const std::shared_ptr<disk_model::File> file = model_.files().at(path);
  const auto begin = file->content().begin() + static_cast<std::ptrdiff_t>(flight.op.at);
  const Buffer before(begin, begin + journal::kBlock);
  DiskDone done = model_.perform(flight.user, flight.op, flight.submitted);
  file->damage(flight.op.at, before);
  armed_.reset();
  astray_ = {path, file};
  count(Fault::misdirected_superblock);
  return done;
}

bool Disk::fails(const DiskOp& op) {
  if (!armed_) return false;
  Fault kind = Fault::structure_error;
  switch (op.kind) {
    case DiskOpKind::write:
      kind = Fault::write_error;
      break;
    case DiskOpKind::sync:
    case DiskOpKind::sync_all:
      kind = Fault::sync_error;
      break;
    case DiskOpKind::open:
      kind = Fault::open_error;
      break;
    case DiskOpKind::read:
      kind = Fault::read_error;
      break;
    case DiskOpKind::load:
      kind = Fault::load_error;
      break;
    case DiskOpKind::list:
      kind = Fault::list_error;
      break;
    case DiskOpKind::close:
      return false;
    default:
      break;
  }
  if (*armed_ != kind) return false;
  armed_.reset();
  count(kind);
  return true;
}

// A start reads, and hardly anybody else does: what waits for a read outlives the process.
void Disk::disarm_writes() {
  const bool of_reading = armed_ == Fault::read_error || armed_ == Fault::open_error ||
                          armed_ == Fault::load_error || armed_ == Fault::list_error;
  if (!of_reading) disarm();
}

void Disk::land_late(Flight flight) {
  model_.perform_in_part(flight.user, flight.op);
  count(Fault::late_write);
  forget_if_done(flight.user);
}

std::vector<std::uint64_t> Disk::flights_of(std::uint64_t user) const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, flight] : flights_) {
    if (flight.user == user) ids.push_back(id);
  }
  return ids;
}

void Disk::forget_if_done(std::uint64_t user) {
  if (flights_of(user).empty()) model_.leave(user);
}

void Disk::leave(std::uint64_t user) {
  CHECK(users_.erase(user) == 1);
  for (const std::uint64_t id : flights_of(user)) {
    Flight& flight = flights_.at(id);
    if (flight.op.kind != DiskOpKind::read) model_.perform(user, flight.op, flight.submitted);
    flights_.erase(id);
  }
  model_.leave(user);
  failed_ = ran_out_ = false;
}

void Disk::kill(std::uint64_t user) {
  CHECK(users_.erase(user) == 1);
  Prng& random = agenda_.random();
  for (const std::uint64_t id : flights_of(user)) {
    Flight& flight = flights_.at(id);
    const std::uint64_t fate = random.below(3);
    if (fate == 1) model_.perform_in_part(user, flight.op);
    if (fate < 2 || flight.op.kind != DiskOpKind::write) {
      flights_.erase(id);
      continue;
    }
    for (const Bytes piece : flight.op.pieces)
      flight.copy.insert(flight.copy.end(), piece.begin(), piece.end());
    flight.op.pieces.assign(1, Bytes(flight.copy));
  }
  forget_if_done(user);
  failed_ = ran_out_ = false;
}

void Disk::cut_off(std::uint64_t user) {
  CHECK(users_.erase(user) == 1);
  cut_off_.push_back(user);
  failed_ = ran_out_ = false;
}

void Disk::lose() {
  CHECK(users_.empty());
  Prng& random = agenda_.random();
  std::vector<std::uint64_t> order;
  for (const auto& [id, flight] : flights_) order.push_back(id);
  // What was in flight may have been carried out in any order.
  for (std::size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[random.below(left)]);
  for (const std::uint64_t id : order) {
    Flight& flight = flights_.at(id);
    if (random.one_in(2)) model_.perform_in_part(flight.user, flight.op);
  }
  for (const std::uint64_t id : order) model_.leave(flights_.at(id).user);
  flights_.clear();
  for (const std::uint64_t user : std::exchange(cut_off_, {})) model_.leave(user);
  const disk_model::Losses losses = model_.lose(random);
  count(Fault::lost_sectors, losses.sectors);
  count(Fault::lost_sizes, losses.sizes);
  count(Fault::lost_names, losses.names);
  count(Fault::torn_write, losses.torn);
  count(Fault::reordered_write, losses.reordered);
}

}  // namespace tailwater::sim
