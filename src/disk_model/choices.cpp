#include "disk_model/choices.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace tailwater::disk_model {

namespace {

enum class Fate : std::uint8_t { lost, kept, torn };

class Chooser {
 public:
  Chooser(const std::vector<Unsettled>& unsettled, Prng& random) : random_(random) {
    for (const Unsettled& each : unsettled) operations_.push_back(each.operation);
    std::ranges::sort(operations_);
    const auto twins = std::ranges::unique(operations_);
    operations_.erase(twins.begin(), twins.end());
    for (const Unsettled& each : unsettled) {
      const auto at = std::ranges::lower_bound(operations_, each.operation);
      owner_.push_back(static_cast<std::size_t>(at - operations_.begin()));
      dirs_.push_back(each.dir);
    }
  }

  std::size_t operations() const { return operations_.size(); }

  template <class FateOf>  // of an operation by its place
  void add(ChoiceKind kind, FateOf fate_of) {
    std::vector<bool> kept(owner_.size());
    for (std::size_t operation = 0; operation < operations(); ++operation) {
      const Fate fate = fate_of(operation);
      if (fate == Fate::torn) {
        tear(operation, kept);
        continue;
      }
      for (std::size_t part = 0; part < owner_.size(); ++part)
        if (owner_[part] == operation) kept[part] = fate == Fate::kept;
    }
    made_.push_back({kind, std::move(kept)});
  }
  void add_dirs() {
    const std::set<DirId> different(dirs_.begin(), dirs_.end());
    if (different.size() < 2) return;
    for (const DirId dir : different) {
      std::vector<bool> kept;
      for (const DirId each : dirs_) kept.push_back(each == dir);
      made_.push_back({ChoiceKind::one_dir, std::move(kept)});
    }
  }
  void add_every_part() {
    for (std::uint64_t bits = 0; bits < std::uint64_t{1} << owner_.size(); ++bits) {
      std::vector<bool> kept(owner_.size());
      for (std::size_t part = 0; part < kept.size(); ++part) kept[part] = ((bits >> part) & 1) != 0;
      made_.push_back({ChoiceKind::every, std::move(kept)});
    }
  }
  void add_every_operation() {
    std::size_t combinations = 1;
    for (std::size_t each = 0; each < operations(); ++each) combinations *= 3;
    for (std::size_t code = 0; code < combinations; ++code) {
      std::size_t rest = code;
      add(ChoiceKind::every, [&](std::size_t) {
        const std::size_t digit = rest % 3;
        rest /= 3;
        return digit == 0 ? Fate::lost : digit == 1 ? Fate::kept : Fate::torn;
      });
    }
  }
  void add_corners() {
    for (std::size_t chosen = 0; chosen < operations(); ++chosen) {
      add(ChoiceKind::one, [&](std::size_t at) { return at == chosen ? Fate::kept : Fate::lost; });
      add(ChoiceKind::all_but_one, [&](std::size_t at) { return at == chosen ? Fate::lost : Fate::kept; });
      add(ChoiceKind::up_to, [&](std::size_t at) { return at <= chosen ? Fate::kept : Fate::lost; });
      add(ChoiceKind::torn, [&](std::size_t at) {
        return at < chosen ? Fate::kept : at == chosen ? Fate::torn : Fate::lost;
      });
    }
  }
  void add_mixed() {
    add(ChoiceKind::mixed, [&](std::size_t) {
      const std::uint64_t draw = random_.below(3);
      return draw == 0 ? Fate::lost : draw == 1 ? Fate::kept : Fate::torn;
    });
  }
  std::vector<Choice> take() { return std::move(made_); }

 private:
  // Cut somewhere, a half of the parts, or all but a part.
  void tear(std::size_t operation, std::vector<bool>& kept) {
    std::vector<std::size_t> parts;
    for (std::size_t part = 0; part < owner_.size(); ++part)
      if (owner_[part] == operation) parts.push_back(part);
    const std::uint64_t way = random_.below(3);
    const std::uint64_t cut = random_.below(parts.size() + 1);
    for (std::size_t at = 0; at < parts.size(); ++at) {
      if (way == 0) kept[parts[at]] = at < cut;
      if (way == 1) kept[parts[at]] = random_.one_in(2);
      if (way == 2) kept[parts[at]] = at != cut;
    }
  }

  Prng& random_;
  std::vector<Sequence> operations_;  // in their order
  std::vector<std::size_t> owner_;    // of each part, its operation's place
  std::vector<DirId> dirs_;           // of each part
  std::vector<Choice> made_;
};

}  // namespace

std::vector<Choice> choices(const std::vector<Unsettled>& unsettled, Prng& random,
                            const ChoiceLimits& limits) {
  Chooser chooser(unsettled, random);
  chooser.add(ChoiceKind::all, [](std::size_t) { return Fate::kept; });
  if (unsettled.empty()) return chooser.take();
  chooser.add(ChoiceKind::none, [](std::size_t) { return Fate::lost; });
  chooser.add_dirs();
  if (unsettled.size() <= limits.parts) {
    chooser.add_every_part();
  } else if (chooser.operations() <= limits.operations) {
    chooser.add_every_operation();
  } else {
    chooser.add_corners();
    for (std::size_t each = 0; each < limits.mixed; ++each) chooser.add_mixed();
  }
  return chooser.take();
}

}  // namespace tailwater::disk_model
