#include "apps/cli/results.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "apps/cli/settings.hpp"
#include "apps/cli/standard_output.hpp"
#include "apps/cli/text_encoding.hpp"

namespace tailwater::apps::cli {

void Results::done(json::object item, const std::string& line) {
  if (!as_json_) fmt::print("{}\n", printable(line));
  item["error"] = nullptr;
  items_.push_back(std::move(item));
}

void Results::failed(json::object item, const std::string& what, wire::ErrorCode code,
                     const std::optional<std::string>& message) {
  any_failed_ = true;
  flush_output();
  complain(fmt::format("{}: {}", printable(what), error_text(code, message)));
  item["error"] = error_value(code, message);
  items_.push_back(std::move(item));
}

int Results::finish() {
  if (as_json_) print_json(json::object{{"results", std::move(items_)}});
  return any_failed_ ? kExitFailed : kExitDone;
}

}  // namespace tailwater::apps::cli
