// Where the records come from that `tailwater produce` sends: standard input in a record format or as JSON,
// or a template.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apps/cli/byte_stream.hpp"
#include "apps/cli/record.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

class RecordSource {
 public:
  virtual ~RecordSource() = default;
  // Fills `record`; false at the end. Errors name the record.
  virtual Result<bool> next(InputRecord& record) = 0;
};

// Records in a format (format_syntax.hpp).
Result<std::unique_ptr<RecordSource>> format_source(const std::string& format, ByteStream stream);
// JSON objects, one behind the other (record_json.hpp).
std::unique_ptr<RecordSource> json_source(ByteStream stream);
// Values made from a format for printing, of which %i (from 1), %d and literals make sense. Endless.
Result<std::unique_ptr<RecordSource>> template_source(const std::string& pattern);

// Reads a file descriptor. While nothing comes, `idle` is called ten times a second; when it returns false,
// the input counts as ended.
ByteStream::Source file_source(int descriptor, std::function<bool()> idle);

}  // namespace tailwater::apps::cli
