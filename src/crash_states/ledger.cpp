#include "crash_states/ledger.hpp"

#include <algorithm>
#include <utility>

#include "records/batch.hpp"

namespace tailwater::crash_states {

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
  std::string all = "; promised are " + std::to_string(promised_) + " of:";
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

void Story::promise(Offset end, Offset start) {
  for (auto at = live_.rbegin(); at != live_.rend(); ++at) {
    if (changes_[*at].last >= end) continue;
    promised_ = std::max(promised_, *at + 1);
    break;
  }
  promised_start_ = std::max(promised_start_, start);
}

void Story::settle(std::size_t count) {
  const std::vector<Change> all = std::exchange(changes_, {});
  live_.clear();
  start_ = end_ = Offset{};
  removed_ = false;
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
  promised_ = count;
  promised_start_ = start_;
}

}  // namespace tailwater::crash_states
