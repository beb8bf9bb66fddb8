#include "disk_model/file.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tailwater::disk_model {

void File::write(std::uint64_t at, Bytes bytes, Sequence now) {
  if (bytes.empty()) return;
  if (content_.size() < at + bytes.size()) resize(at + bytes.size(), now);
  for (std::uint64_t sector = at / kSector; sector * kSector < at + bytes.size(); ++sector) {
    Overwritten& old = overwritten_.emplace_back();
    old.sector = sector;
    old.when = now;
    old.length =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(kSector, content_.size() - sector * kSector));
    std::memcpy(old.before.data(), content_.data() + sector * kSector, old.length);
  }
  std::memcpy(content_.data() + at, bytes.data(), bytes.size());
}

void File::resize(std::uint64_t size, Sequence now) {
  Resized& change = resized_.emplace_back();
  change.when = now;
  change.before = content_.size();
  if (size < content_.size()) {
    change.cut.assign(content_.begin() + static_cast<std::ptrdiff_t>(size), content_.end());
    std::erase_if(overwritten_, [&](const Overwritten& old) { return old.sector * kSector >= size; });
  }
  content_.resize(size);
}

void File::harden_range(std::uint64_t at, std::uint64_t size) {
  std::erase_if(overwritten_, [&](const Overwritten& old) {
    return old.sector >= at / kSector && old.sector * kSector < at + size;
  });
  const auto last = std::find_if(resized_.rbegin(), resized_.rend(),
                                 [&](const Resized& change) { return change.before < at + size; });
  resized_.erase(resized_.begin(), last.base());
}

void File::harden(Sequence until) {
  // A later write that is hardened makes up for a doomed one below it.
  const auto made_up_for = [&](const Overwritten& doomed) {
    return std::ranges::any_of(overwritten_, [&](const Overwritten& other) {
      return !other.doomed && other.sector == doomed.sector && other.when > doomed.when &&
             other.when <= until;
    });
  };
  std::erase_if(overwritten_, [&](const Overwritten& old) { return old.doomed && made_up_for(old); });
  std::erase_if(overwritten_, [&](const Overwritten& old) { return old.when <= until && !old.doomed; });
  std::erase_if(resized_, [&](const Resized& change) { return change.when <= until; });
}

void File::doom(Sequence until) {
  for (Overwritten& old : overwritten_) old.doomed = old.doomed || old.when <= until;
}

void File::damage(std::uint64_t at, Bytes bytes) {
  std::memcpy(content_.data() + at, bytes.data(), bytes.size());
}

void File::lose(Prng& random, Losses& losses) {
  take_back_sectors(random, losses);
  take_back_sizes(random, losses);
  overwritten_.clear();
  resized_.clear();
}

void File::take_back_sectors(Prng& random, Losses& losses) {
  if (overwritten_.empty()) return;
  // All is kept, all is lost, or a half or a small part of the sectors.
  const std::uint64_t mood = random.below(4);
  if (mood == 0) return;
  std::vector<std::pair<std::uint64_t, std::size_t>> order;  // by sector, then by time
  order.reserve(overwritten_.size());
  for (const Overwritten& old : overwritten_) order.emplace_back(old.sector, order.size());
  std::ranges::sort(order);
  for (std::size_t first = 0; first < order.size();) {
    std::size_t behind = first + 1;
    while (behind < order.size() && order[behind].first == order[first].first) ++behind;
    const bool kept = mood == 2 ? random.one_in(2) : mood == 3 && !random.one_in(8);
    if (!kept) {
      const std::size_t chosen = mood == 1 ? first : first + random.below(behind - first);
      const Overwritten& old = overwritten_[order[chosen].second];
      ++losses.sectors;
      const std::uint64_t at = old.sector * kSector;
      const std::uint64_t end = std::min<std::uint64_t>(at + old.length, content_.size());
      if (end > at) std::memcpy(content_.data() + at, old.before.data(), end - at);
    }
    first = behind;
  }
}

void File::take_back_sizes(Prng& random, Losses& losses) {
  std::uint64_t back = random.below(resized_.size() + 1);
  losses.sizes += back;
  for (; back > 0; --back) {
    const Resized change = std::move(resized_.back());
    resized_.pop_back();
    content_.resize(change.before);
    const std::size_t from = change.before - change.cut.size();
    std::ranges::copy(change.cut, content_.begin() + static_cast<std::ptrdiff_t>(from));
  }
}

}  // namespace tailwater::disk_model
