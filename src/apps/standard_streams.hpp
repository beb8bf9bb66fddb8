// The three descriptors that a process begins with.
#pragma once

namespace tailwater::apps {

// Opens /dev/null in the place of each that the process was started without: the next file or socket would
// get its number, and what is printed would go there. false: that is not possible. Call it before anything is
// opened.
[[nodiscard]] bool complete_standard_streams();

}  // namespace tailwater::apps
