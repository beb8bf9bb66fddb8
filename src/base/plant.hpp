// Bugs put in on purpose, to show that the simulator finds such. Each is one condition at the very place
// where the program does what the bug leaves undone. They exist in the simulator's own build (preset `plant`)
// only: everywhere else planted() is a constant, and nothing of them is left in a program (tests/plants).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tailwater {

enum class Plant : std::uint8_t {
  none,
  acknowledgement_before_sync,     // a journal frame counts when it is written, not when it is stable
  acknowledgement_out_of_order,    // a frame counts although the one before it is still in flight
  trim_before_sync,                // the journal gives space back for bytes whose files were not synced
  rewrite_without_image,           // a block is written again, and the journal does not have what it held
  file_without_directory_sync,     // a new file is synced, its name is not
  replay_onto_recreated_topic,     // a topic takes the log of its predecessor of the same name
  one_pass_redo,                   // a start begins at the checkpoint, not at what was unflushed then
  direct_run_over_a_shared_block,  // a direct run writes the block whose first bytes are not its own
  run_judged_at_once,              // a start looks at a direct run before it knows what ended it
  lost_tail,                       // the last frame of the journal is taken for torn
  recycle_without_zeroing,         // a segment gets a file of another one with all that it held
  recycle_before_sync,             // the same file's zeros are not stable when it is used again
  duplicate_after_restart,         // a start forgets what producers had sent
  aborted_visible,                 // a start forgets which transactions were aborted
};
inline constexpr std::size_t kPlants = static_cast<std::size_t>(Plant::aborted_visible) + 1;

inline constexpr std::array<std::string_view, kPlants> kPlantNames = {"none",
                                                                      "acknowledgement-before-sync",
                                                                      "acknowledgement-out-of-order",
                                                                      "trim-before-sync",
                                                                      "rewrite-without-image",
                                                                      "file-without-directory-sync",
                                                                      "replay-onto-recreated-topic",
                                                                      "one-pass-redo",
                                                                      "direct-run-over-a-shared-block",
                                                                      "run-judged-at-once",
                                                                      "lost-tail",
                                                                      "recycle-without-zeroing",
                                                                      "recycle-before-sync",
                                                                      "duplicate-after-restart",
                                                                      "aborted-visible"};

#ifdef TAILWATER_PLANTS
bool planted(Plant bug);
// From now on the program has this bug, and no other.
void plant(Plant bug);
#else
constexpr bool planted(Plant) {
  return false;
}
#endif

}  // namespace tailwater
