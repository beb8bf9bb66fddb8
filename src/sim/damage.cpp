#include "sim/damage.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/journal/ring_scan.hpp"
#include "core/journal/superblock.hpp"
#include "core/log/tail.hpp"

namespace tailwater::sim {

namespace {

using disk_model::File;
using journal::kBlock;

// Whoever looks for a record begins at an entry of the index and walks on from batch to batch: up to the next
// entry it does not get past a batch that does not say how long it is.
constexpr std::uint64_t kIndexInterval = 4'096;
constexpr std::uint64_t kBatchesBehindIt = 2;

bool is_manifest(std::string_view path) {
  return path.find("/manifest/") != std::string_view::npos;
}

bool is_index(std::string_view path) {
  return path.ends_with(".index") || path.ends_with(".timeindex");
}

bool is_of_coordinator(std::string_view path) {
  return path.find("/__") != std::string_view::npos && path.ends_with(".log");
}

// "<dir>/<topic>-<partition>/<base offset>.log"
std::string folder_of(const std::string& path) {
  const std::size_t from = path.find('/') + 1;
  return path.substr(from, path.rfind('/') - from);
}

std::string segment_of(const std::string& path) {
  return path.substr(0, path.rfind('.'));
}

std::string without_directory(const std::string& path) {
  return path.substr(path.find('/') + 1);
}

std::optional<log::StoredBatch> batch_at(Bytes content, std::uint64_t at) {
  if (at + log::kStoredBatchPeek > content.size()) return std::nullopt;
  const log::StoredBatch batch = log::peek_batch(content.data() + at);
  if (!log::plausible(batch, content.data() + at) || at + batch.size > content.size()) return std::nullopt;
  return batch;
}

struct Frame {
  Lsn lsn;
  Lsn settled;
  std::uint64_t size = 0;
};

// The frames that a start would read, and how far the newest says that all is stable.
std::vector<Frame> live_frames(Bytes ring) {
  std::vector<Frame> frames;
  journal::Superblock superblock;
  if (ring.size() < journal::kRingStart ||
      journal::read_ring_head(ring.first(2 * kBlock), superblock) != journal::RingHead::formatted)
    return frames;
  for (std::uint64_t at = journal::kRingStart; at + kBlock <= ring.size(); at += kBlock) {
    const auto header = journal::decode_frame(ring.subspan(at));
    if (!header || header->journal_id != superblock.journal_id || header->lsn < superblock.trim) continue;
    if (journal::ring_position(header->lsn, superblock.capacity) != at) continue;
    frames.push_back({header->lsn, header->settled, header->frame_bytes()});
  }
  std::ranges::sort(frames, {}, &Frame::lsn);
  return frames;
}

}  // namespace

// Frames of which a later one nearby says that they were stable.
void Damage::add_frames(const Place& ring, std::vector<Place>& places) const {
  const Buffer& content = ring.file->stable_content();
  journal::Superblock superblock;
  const std::vector<Frame> frames = live_frames(content);
  if (frames.empty()) return;
  journal::read_ring_head(Bytes(content).first(2 * kBlock), superblock);
  const std::uint64_t window = journal::window_bytes(superblock.frame_bytes_max);
  for (std::size_t index = 0; index < frames.size(); ++index) {
    const Frame& frame = frames[index];
    const auto proves = [&](const Frame& other) {
      return other.settled > frame.lsn && other.lsn > frame.lsn && other.lsn < frame.lsn + window;
    };
    if (!std::any_of(frames.begin() + static_cast<std::ptrdiff_t>(index), frames.end(), proves)) continue;
    places.push_back(
        {ring.file, ring.path, journal::ring_position(frame.lsn, superblock.capacity), frame.size});
  }
}

// Not the last: the end of a log is read back and written again with what comes behind it.
void Damage::add_blocks(const Place& file, std::vector<Place>& places) const {
  const Buffer& content = file.file->stable_content();
  std::uint64_t end = 0;
  while (const auto batch = batch_at(content, end)) end += batch->size;
  for (std::uint64_t at = 0; at + kBlock < end; at += kBlock)
    places.push_back({file.file, file.path, at, kBlock});
}

std::vector<Damage::Place> Damage::places(Fault fault) const {
  std::vector<Place> found;
  for (const auto& [path, file] : disk_.files()) {
    const Place whole{file, path, 0, file->stable_content().size()};
    if (whole.size == 0) continue;
    switch (fault) {
      case Fault::rot_journal:
        if (is_hard_ring(path)) add_frames(whole, found);
        break;
      case Fault::rot_superblock:
        if (is_hard_ring(path)) found.push_back({file, path, 0, 2 * kBlock});
        break;
      case Fault::rot_manifest:
        if (is_manifest(path)) found.push_back(whole);
        break;
      case Fault::rot_coordinator:
        if (is_of_coordinator(path)) add_blocks(whole, found);
        break;
      case Fault::rot_records:
      case Fault::rot_transactional:
      case Fault::rot_compacted:
        if (is_victim(path, fault) && path.ends_with(".log") && !struck_.contains(segment_of(path)))
          found.push_back(whole);
        break;
      case Fault::rot_index:
        if (victims_.contains(folder_of(path)) && is_index(path) && !struck_.contains(segment_of(path)))
          found.push_back(whole);
        break;
      default:
        break;
    }
  }
  return found;
}

bool Damage::is_victim(const std::string& path, Fault fault) const {
  const auto at = victims_.find(folder_of(path));
  return at != victims_.end() && at->second.fault == fault;
}

bool Damage::stands() {
  if (const auto astray = disk_.take_astray()) remember(astray->file, astray->path);
  return file_ != nullptr && file_->damaged();
}

bool Damage::stands_or_will() {
  return stands() || disk_.armed(Fault::misdirected_superblock);
}

void Damage::remember(std::shared_ptr<File> file, const std::string& path) {
  file_ = std::move(file);
  path_ = without_directory(path);
}

bool Damage::strike(Fault fault) {
  if (fault == Fault::misdirected_frame || fault == Fault::misdirected_records)
    return go_astray(fault == Fault::misdirected_records);
  if (fault != Fault::misdirected_superblock) return flip(fault);
  // Of the next superblock; then it counts.
  if (!stands()) disk_.arm(fault);
  return false;
}

std::optional<std::vector<log::StoredBatch>> Damage::reach(const Place& place, std::uint64_t at,
                                                           std::uint64_t size) const {
  std::vector<log::StoredBatch> reached;
  if (!victims_.contains(folder_of(place.path))) return reached;
  const Buffer& content = place.file->stable_content();
  std::uint64_t position = 0;
  std::uint64_t behind = 0;
  while (const auto batch = batch_at(content, position)) {
    if (position >= at + size + kIndexInterval && ++behind > kBatchesBehindIt) return reached;
    if (position + batch->size > at) reached.push_back(*batch);
    position += batch->size;
  }
  return std::nullopt;
}

void Damage::account(const Place& place, std::span<const log::StoredBatch> reached) {
  for (const log::StoredBatch& batch : reached)
    ledger_.damaged(victims_.at(folder_of(place.path)).track, batch.base.value, batch.last.value + 1);
}

bool Damage::flip(Fault fault) {
  const bool records =
      fault == Fault::rot_records || fault == Fault::rot_transactional || fault == Fault::rot_compacted;
  const bool matters = !records && fault != Fault::rot_index;
  if (matters && stands_or_will()) return false;
  const std::vector<Place> all = places(fault);
  if (all.empty()) return false;
  const Place& place = all[random_.below(all.size())];
  const std::uint64_t at = place.at + random_.below(place.size);
  const std::uint64_t bit = random_.below(8);
  if (!place.file->settled(at, 1)) return false;
  if (records) {
    const auto reached = reach(place, at, 1);
    if (!reached) return false;
    account(place, *reached);
  }
  const std::byte flipped = place.file->stable_content()[at] ^ static_cast<std::byte>(1U << bit);
  place.file->damage(at, Bytes(&flipped, 1));
  if (matters) {
    remember(place.file, place.path);
  } else {
    struck_.emplace(segment_of(place.path), place.file);
  }
  return true;
}

// A block came where another should be, whose own place kept what it had.
bool Damage::go_astray(bool records) {
  if (!records && stands_or_will()) return false;
  std::vector<Place> all = places(records ? Fault::rot_records : Fault::rot_journal);
  std::erase_if(all, [](const Place& place) { return place.size < (place.at == 0 ? 2 * kBlock : kBlock); });
  if (all.empty()) return false;
  const Place& place = all[random_.below(all.size())];
  const std::uint64_t to = place.at + random_.below(place.size / kBlock) * kBlock;
  // Of a journal any block may come: what lies in its own place is not changed, and there twice.
  const std::uint64_t all_of_it = records ? place.size : place.file->stable_content().size();
  const std::uint64_t from = random_.below(all_of_it / kBlock) * kBlock;
  const auto block = [&](std::uint64_t at) {
    const auto begin = place.file->stable_content().begin() + static_cast<std::ptrdiff_t>(at);
    return Buffer(begin, begin + kBlock);
  };
  const Buffer astray = block(from);
  const Buffer before = block(to);
  if (astray == before || !place.file->settled(from, kBlock) || !place.file->settled(to, kBlock))
    return false;
  if (records) {
    const auto reached = reach(place, std::min(from, to), kBlock);
    const auto also = reach(place, std::max(from, to), kBlock);
    if (!reached || !also) return false;
    account(place, *reached);
    account(place, *also);
    place.file->damage(from, before);
    struck_.emplace(segment_of(place.path), place.file);
  } else {
    remember(place.file, place.path);
  }
  place.file->damage(to, astray);
  return true;
}

void Damage::mend() {
  if (stands()) file_->mend();
  file_ = nullptr;
}

std::optional<std::string> Damage::mend_what_is_named(std::span<const std::string> said,
                                                      std::string_view failure) {
  const auto names = [&](std::string_view text) { return text.find(path_) != std::string_view::npos; };
  if (stands() && (names(failure) || std::ranges::any_of(said, names))) {
    mend();
    return path_;
  }
  for (const auto& [segment, file] : struck_) {
    std::string path = without_directory(segment) + ".log";
    // That it takes a log directory offline need not be the last that a broker says.
    const bool is_told = failure.find(path + " is damaged") != std::string_view::npos ||
                         std::ranges::any_of(said, [&](const std::string& text) {
                           return text.find(path + " is damaged between") != std::string::npos;
                         });
    if (!file->damaged() || !is_told) continue;
    file->mend();
    return path;
  }
  return std::nullopt;
}

}  // namespace tailwater::sim
