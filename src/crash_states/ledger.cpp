#include "crash_states/ledger.hpp"

#include <algorithm>
#include <utility>

#include "records/batch.hpp"

namespace tailwater::crash_states {

namespace {

// A larger flush.ms is none.
constexpr std::int64_t kFlushMsMax = 1'000'000;

}  // namespace

LogContent::LogContent(const std::vector<Change>& changes, std::size_t count) {
  for (std::size_t index = 0; index < count; ++index) {
    const Change& change = changes[index];
    switch (change.kind) {
      case Change::Kind::append:
        batches.push_back(&change);
        end = change.last + 1;
        producers.apply(records::BatchView(*change.bytes));
        break;
      case Change::Kind::truncate:
        while (!batches.empty() && batches.back()->last >= change.base) batches.pop_back();
        end = std::min(end, change.base);
        producers.truncate(end);
        break;
      case Change::Kind::start:
        start = std::max(start, change.base);
        producers.advance_start(start);
        break;
    }
  }
}

Buffer LogContent::bytes() const {
  Buffer all;
  for (const Change* batch : batches) {
    if (batch->last >= start) all.insert(all.end(), batch->bytes->begin(), batch->bytes->end());
  }
  return all;
}

std::vector<const Change*> Story::batches() const {
  std::vector<const Change*> all;
  for (const std::size_t index : live_) all.push_back(&changes_[index]);
  return all;
}

std::string Story::text() const {
  std::string all = "; promised are " + std::to_string(promised_) + ", acknowledged " +
                    std::to_string(acknowledged_) + " of:";
  for (const Change& change : changes_) {
    const char letter = change.kind == Change::Kind::append     ? 'A'
                        : change.kind == Change::Kind::truncate ? 'T'
                                                                : 'S';
    all += std::string(" ") + letter + std::to_string(change.base.value);
    if (change.last != change.base) all += "-" + std::to_string(change.last.value);
  }
  return all;
}

void Story::append(Offset base, Offset last, Buffer bytes) {
  live_.push_back(changes_.size());
  changes_.push_back({Change::Kind::append, base, last, std::make_shared<const Buffer>(std::move(bytes))});
  end_ = last + 1;
}

void Story::truncate(Offset end) {
  changes_.push_back({Change::Kind::truncate, end, end, nullptr});
  while (!live_.empty() && changes_[live_.back()].last >= end) live_.pop_back();
  end_ = std::min(end_, end);
}

void Story::start_at(Offset start) {
  if (start <= start_) return;
  changes_.push_back({Change::Kind::start, start, start, nullptr});
  start_ = start;
}

// With the last batch that lies wholly below.
std::size_t Story::changes_up_to(Offset end) const {
  for (auto at = live_.rbegin(); at != live_.rend(); ++at) {
    if (changes_[*at].last < end) return *at + 1;
  }
  return 0;
}

void Story::acknowledge(Offset end, Offset start, Instant now) {
  const std::size_t count = changes_up_to(end);
  if (config_.os_durable && config_.flush_ms < kFlushMsMax && count > acknowledged_)
    unsynced_.push_back({end, now});
  acknowledged_ = std::max(acknowledged_, count);
  promised_start_ = std::max(promised_start_, start);
  if (!config_.os_durable) {
    promised_ = std::max(promised_, count);
  } else if (config_.flush_messages <= end.value) {
    promised_ = std::max(promised_, changes_up_to(end + (1 - config_.flush_messages)));
  }
}

void Story::rest(Instant now) {
  presence_promised_ = !removed_;
  removal_promised_ = removed_;
  std::erase_if(unsynced_, [&](const Unsynced& each) {
    if (now - each.since < Duration::from_ms(config_.flush_ms)) return false;
    promised_ = std::max(promised_, changes_up_to(each.end));
    return true;
  });
}

void Story::note_left(const std::set<Offset>& left, Offset end) {
  for (const std::size_t index : live_) {
    const Change& batch = changes_[index];
    for (Offset offset = std::max(batch.base, start_); offset <= batch.last && offset < end;
         offset = offset + 1) {
      if (!left.contains(offset)) gone_.insert(offset);
    }
  }
}

void Story::settle(std::size_t count) {
  const std::vector<Change> all = std::exchange(changes_, {});
  live_.clear();
  unsynced_.clear();
  start_ = end_ = Offset{};
  removed_ = removal_promised_ = false;
  presence_promised_ = true;
  for (std::size_t index = 0; index < count; ++index) {
    const Change& change = all[index];
    if (change.kind == Change::Kind::append) {
      live_.push_back(changes_.size());
      changes_.push_back(change);
      end_ = change.last + 1;
    } else if (change.kind == Change::Kind::truncate) {
      truncate(change.base);
    } else {
      start_at(change.base);
    }
  }
  promised_ = acknowledged_ = count;
  promised_start_ = start_;
}

}  // namespace tailwater::crash_states
