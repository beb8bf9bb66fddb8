// Whether what was printed has arrived. Commands print with fmt::print and print_json and need not look;
// run_command_line asks at the end. Only who writes to the descriptor itself tells of its failures.
#pragma once

namespace tailwater::apps::cli {

// A write to standard output has failed with this errno. The first one counts.
void output_failed(int code);

// What was printed goes out now, before what goes to standard error.
void flush_output();

// The exit code of a command that would end with `code`: 1, after a message, if some of its output was lost.
// Readers that have left had enough, and are no failure.
[[nodiscard]] int after_output(int code);

}  // namespace tailwater::apps::cli
