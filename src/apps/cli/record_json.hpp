// The JSON form of records: one object per line. What is printed can be read again without loss.
//
//   {"topic":"t","partition":0,"offset":7,"timestamp":1700000000000,"timestamp_type":"create",
//    "key":"k","value":"v","headers":[{"key":"h","value":"x"}]}
//
// Bytes that are no UTF-8 stand in "key_base64" and "value_base64" instead. Null is null, and empty is "".
#pragma once

#include <string>
#include <string_view>

#include "apps/cli/record.hpp"
#include "base/result.hpp"

namespace tailwater::apps::cli {

enum class RecordParts { all, without_content };

// Without content, sizes stand in the place of key, value and headers. No line end.
void append_json(std::string& out, const RecordView& record, RecordParts parts = RecordParts::all);

// Takes "key" or "key_base64", "value" or "value_base64", "headers", "partition" and "timestamp"; the rest is
// ignored. A value must be there. A "value" that is no string is taken as its JSON text. Headers may also be
// an object of strings.
Result<void> read_json(std::string_view text, InputRecord& record);

}  // namespace tailwater::apps::cli
