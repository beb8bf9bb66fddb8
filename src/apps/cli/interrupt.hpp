// Ctrl-C and SIGTERM as a question: has the user had enough? The second one ends the program at once.
#pragma once

namespace tailwater::apps::cli {

// From now on signals only raise the flag. A closed output pipe becomes a failed write.
void watch_for_interrupt();
bool interrupted();

}  // namespace tailwater::apps::cli
