// The states of a classic group and the legal moves between them, as one table.
// GUARANTEES: a group changes its state only along a listed move; any other is a bug of ours and CHECKed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tailwater::group {

enum class State : std::uint8_t {
  empty,       // no members; may hold offsets
  preparing,   // a join phase runs: members are asked to join again
  completing,  // a generation exists, its members wait for the leader's assignment
  stable,      // the generation's assignment is durable
  dead,        // the group is gone; nothing leaves this state
};
inline constexpr std::size_t kStateCount = 5;

// kLegalMoves[from][to]
inline constexpr std::array<std::array<bool, kStateCount>, kStateCount> kLegalMoves = {{
    //            empty  preparing completing stable dead
    /* empty      */ {false, true, false, false, true},
    /* preparing  */ {true, false, true, false, true},
    /* completing */ {false, true, false, true, true},
    /* stable     */ {false, true, false, false, true},
    /* dead       */ {false, false, false, false, false},
}};

constexpr bool is_legal(State from, State to) {
  return kLegalMoves[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}

// The name as DescribeGroups and ListGroups spell it.
constexpr std::string_view name(State state) {
  constexpr std::array<std::string_view, kStateCount> names = {"Empty", "PreparingRebalance",
                                                               "CompletingRebalance", "Stable", "Dead"};
  return names[static_cast<std::size_t>(state)];
}

}  // namespace tailwater::group
