#include "disk_model/file.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

namespace tailwater::disk_model {

std::vector<bool> keep_by_chance(const std::vector<Unsettled>& unsettled, Prng& random, Losses& losses) {
  std::vector<bool> kept(unsettled.size());
  const std::uint64_t whole = random.below(4);
  std::map<Sequence, std::uint64_t> fates;
  struct Sectors {
    bool kept = false;
    bool lost = false;
  };
  std::map<Sequence, Sectors> writes;
  Sequence first_lost = UINT64_MAX;
  Sequence last_kept = 0;
  for (std::size_t index = 0; index < unsettled.size(); ++index) {
    const Unsettled& each = unsettled[index];
    auto fate = fates.find(each.operation);
    if (fate == fates.end()) {
      const std::uint64_t own = random.below(4);
      fate = fates.emplace(each.operation, whole < 2 ? whole : own).first;
    }
    // Of an operation everything, nothing, a half or most of it.
    const bool half = random.one_in(2);
    const bool most = !random.one_in(8);
    kept[index] = fate->second == 0 || (fate->second == 2 && half) || (fate->second == 3 && most);
    if (each.kind == Unsettled::Kind::sector) {
      Sectors& sectors = writes[each.operation];
      (kept[index] ? sectors.kept : sectors.lost) = true;
    }
    if (kept[index]) {
      last_kept = std::max(last_kept, each.operation);
      continue;
    }
    first_lost = std::min(first_lost, each.operation);
    if (each.kind == Unsettled::Kind::sector) ++losses.sectors;
    if (each.kind == Unsettled::Kind::size) ++losses.sizes;
    if (each.kind == Unsettled::Kind::name) ++losses.names;
  }
  losses.torn += static_cast<std::uint64_t>(
      std::ranges::count_if(writes, [](const auto& each) { return each.second.kept && each.second.lost; }));
  losses.reordered += first_lost < last_kept ? 1 : 0;
  return kept;
}

// --- a layer

void Layer::write(std::uint64_t at, Bytes bytes) {
  std::memcpy(bytes_.data() + at, bytes.data(), bytes.size());
  if (!was_.empty()) was_.erase(was_.lower_bound(at), was_.lower_bound(at + bytes.size()));
}

void Layer::resize(std::uint64_t size) {
  bytes_.resize(size);
  if (!was_.empty()) was_.erase(was_.lower_bound(size), was_.end());
}

void Layer::damage(std::uint64_t at, Bytes bytes) {
  for (const std::byte byte : bytes) {
    was_.emplace(at, bytes_[at]);
    bytes_[at++] = byte;
  }
}

void Layer::mend() {
  for (const auto& [at, was] : was_) bytes_[at] = was;
  was_.clear();
}

// --- a file

void File::write(std::uint64_t at, Bytes bytes, Sequence now) {
  if (bytes.empty()) return;
  const std::uint64_t end = at + bytes.size();
  if (content_.size() < end) resize(end, now);
  for (std::uint64_t from = at; from < end;) {
    const std::uint64_t to = std::min(end, (from / kSector + 1) * kSector);
    Part& part = parts_.emplace_back();
    part.when = now;
    part.at = from;
    part.length = static_cast<std::uint32_t>(to - from);
    std::memcpy(part.bytes.data(), bytes.data() + (from - at), part.length);
    from = to;
  }
  content_.write(at, bytes);
}

void File::resize(std::uint64_t size, Sequence now) {
  if (size == content_.size()) return;
  Part& part = parts_.emplace_back();
  part.when = now;
  part.at = size;
  content_.resize(size);
}

bool File::blank() const {
  return stable() && std::ranges::all_of(content(), [](std::byte byte) { return byte == std::byte{0}; });
}

// A sector beyond the size is not seen.
void File::apply(Layer& to, const Part& part) {
  if (part.is_size()) {
    to.resize(part.at);
  } else if (part.at < to.size()) {
    const std::uint64_t seen = std::min<std::uint64_t>(part.length, to.size() - part.at);
    to.write(part.at, Bytes(part.bytes).first(seen));
  }
}

// When the newer part is stable the older one cannot come back: its sector or size was written again, or its
// bytes were cut off.
bool File::overrules(const Part& newer, const Part& older) {
  if (older.is_size()) return newer.is_size();
  return newer.is_size() ? older.at >= newer.at : older.sector() == newer.sector();
}

template <class Chosen>
void File::make_stable(Chosen chosen) {
  std::size_t left = 0;
  for (std::size_t index = 0; index < parts_.size(); ++index) {
    const Part& part = parts_[index];
    if (!chosen(part)) {
      if (left != index) parts_[left] = part;
      ++left;
      continue;
    }
    apply(stable_, part);
    const auto first = parts_.begin();
    const auto end = first + static_cast<std::ptrdiff_t>(left);
    left = static_cast<std::size_t>(
        std::remove_if(first, end, [&](const Part& older) { return overrules(part, older); }) - first);
  }
  parts_.resize(left);
}

void File::harden_range(std::uint64_t at, std::uint64_t size) {
  // The size that the bytes need brings all earlier changes of it along.
  const Part* needed = nullptr;
  std::uint64_t before = stable_.size();
  for (const Part& part : parts_) {
    if (!part.is_size()) continue;
    if (before < at + size) needed = &part;
    before = part.at;
  }
  const Sequence newest_size = needed == nullptr ? 0 : needed->when;
  make_stable([&](const Part& part) {
    if (part.is_size()) return part.when <= newest_size;
    return part.sector() >= at / kSector && part.sector() * kSector < at + size;
  });
}

void File::harden(Sequence until) {
  make_stable([&](const Part& part) { return part.when <= until && !part.doomed; });
}

void File::doom(Sequence until) {
  for (Part& part : parts_) part.doomed = part.doomed || (part.when <= until && !part.is_size());
}

bool File::settled(std::uint64_t at, std::uint64_t size) const {
  if (at + size > std::min(content_.size(), stable_.size())) return false;
  return std::ranges::none_of(parts_, [&](const Part& part) {
    return part.is_size() ? part.at < at + size : part.at < at + size && at < part.at + part.length;
  });
}

void File::damage(std::uint64_t at, Bytes bytes) {
  content_.damage(at, bytes);
  stable_.damage(at, bytes);
}

void File::mend() {
  content_.mend();
  stable_.mend();
}

void File::list(std::vector<Unsettled>& unsettled) const {
  for (const Part& part : parts_)
    unsettled.push_back({part.when, part.is_size() ? Unsettled::Kind::size : Unsettled::Kind::sector});
}

void File::settle(std::vector<bool>::const_iterator& kept) {
  // A size on the disk is the newest that was kept.
  std::size_t sized = 0;
  for (std::size_t index = 0; index < parts_.size(); ++index) {
    if (parts_[index].is_size() && kept[static_cast<std::ptrdiff_t>(index)]) sized = index + 1;
  }
  for (std::size_t index = 0; index < parts_.size(); ++index, ++kept) {
    const Part& part = parts_[index];
    if (part.is_size() ? index < sized : *kept) apply(stable_, part);
  }
  parts_.clear();
  content_ = stable_;
}

void File::lose(Prng& random, Losses& losses) {
  std::vector<Unsettled> unsettled;
  list(unsettled);
  const std::vector<bool> kept = keep_by_chance(unsettled, random, losses);
  auto at = kept.begin();
  settle(at);
}

}  // namespace tailwater::disk_model
