// What became of each of several things that a command was to do. As text a line each: successes on standard
// output, failures on standard error. As JSON {"results":[{...,"error":null},...]}.
#pragma once

#include <optional>
#include <string>

#include "apps/cli/json_output.hpp"
#include "wire/error_code.hpp"

namespace tailwater::apps::cli {

class Results {
 public:
  explicit Results(bool as_json) : as_json_(as_json) {}

  // `item` names the thing and says what is known of it: {"topic":"a","partitions":3}.
  void done(json::object item, const std::string& line);
  void failed(json::object item, const std::string& what, wire::ErrorCode code,
              const std::optional<std::string>& message = std::nullopt);

  // Prints the JSON, if that was asked for. The exit code: failed if anything did.
  int finish();

 private:
  bool as_json_;
  bool any_failed_ = false;
  json::array items_;
};

}  // namespace tailwater::apps::cli
