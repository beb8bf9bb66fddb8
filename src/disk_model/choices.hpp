// Which states a power loss can leave: choices of what is not stable yet. Any choice is legal. All of them
// are tried where there are few things to choose from; otherwise the corners, where most bugs sit, and some
// by chance. Where several directories have such things, also each of these alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/prng.hpp"
#include "disk_model/file.hpp"

namespace tailwater::disk_model {

enum class ChoiceKind : std::uint8_t {
  none,         // nothing of it is kept
  all,          // everything is
  one,          // one operation, nothing else
  all_but_one,  // one operation is lost
  up_to,        // the operations up to one of them, in the order in which they were done
  torn,         // the same, and of the next one a part
  mixed,        // each operation wholly, in part or not at all, by chance
  every,        // one of all that there are
  one_dir,      // all of one directory, nothing of the others: its disk missed the power loss
};
inline constexpr std::size_t kChoiceKinds = 9;
inline constexpr std::string_view kChoiceNames[kChoiceKinds] = {
    "none", "all", "one", "all_but_one", "up_to", "torn", "mixed", "every", "one_dir"};

struct Choice {
  ChoiceKind kind{};
  std::vector<bool> kept;  // one for each of Disk::unsettled()
};

struct ChoiceLimits {
  std::size_t parts = 9;       // up to so many things each choice of them is tried
  std::size_t operations = 4;  // up to so many operations each is lost, kept or torn, in all combinations
  std::size_t mixed = 6;       // by chance, where there are more
};

// Never empty: without anything to choose from the one state is `all`. The same choice may come twice.
std::vector<Choice> choices(const std::vector<Unsettled>& unsettled, Prng& random,
                            const ChoiceLimits& limits = {});

}  // namespace tailwater::disk_model
