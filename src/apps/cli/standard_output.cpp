#include "apps/cli/standard_output.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "apps/cli/settings.hpp"

namespace tailwater::apps::cli {

namespace {

int g_output_error = 0;  // an errno; none: 0

}  // namespace

void output_failed(int code) {
  if (g_output_error == 0) g_output_error = code == 0 ? EIO : code;
}

void flush_output() {
  if (std::fflush(stdout) != 0) output_failed(errno);
}

int after_output(int code) {
  flush_output();
  if (std::ferror(stdout) != 0) output_failed(EIO);  // of a write whose errno nobody kept
  if (g_output_error == 0 || g_output_error == EPIPE) return code;
  complain(fmt::format("cannot write to standard output: {}", std::strerror(g_output_error)));
  return code == kExitDone ? kExitFailed : code;
}

}  // namespace tailwater::apps::cli
