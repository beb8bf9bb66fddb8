#include "apps/cli/consume_output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "apps/cli/standard_output.hpp"

namespace tailwater::apps::cli {

namespace {

// A line with everything but the content, in the order of a person's interest.
constexpr const char* kMetaFormat = "%t[%p]@%o\\t%d{rfc3339}\\tkey %K\\tvalue %V\\theaders %H\\n";
constexpr const char* kHexFormat = "%k{hex}\\t%v{hex}\\n";

std::string expand(const std::string& format, RecordParts parts) {
  if (format.empty()) return parts == RecordParts::without_content ? kMetaFormat : "%v\\n";
  if (format == "raw") return "%v";
  if (format == "hex") return kHexFormat;
  return format;
}

}  // namespace

Result<RecordFilter> RecordFilter::make(const Conditions& conditions) {
  RecordFilter filter;
  if (!conditions.key.empty()) {
    auto pattern = Pattern::make(conditions.key, "--key");
    if (!pattern) return std::unexpected(pattern.error());
    filter.key_ = std::move(*pattern);
  }
  if (!conditions.value.empty()) {
    auto pattern = Pattern::make(conditions.value, "--grep");
    if (!pattern) return std::unexpected(pattern.error());
    filter.value_ = std::move(*pattern);
  }
  for (const std::string& word : conditions.headers) {
    const std::size_t equals = word.find('=');
    HeaderCondition& condition = filter.headers_.emplace_back();
    condition.name = word.substr(0, equals);
    if (equals == std::string::npos) continue;
    auto pattern = Pattern::make(word.substr(equals + 1), "--header");
    if (!pattern) return std::unexpected(pattern.error());
    condition.value = std::move(*pattern);
  }
  return filter;
}

bool RecordFilter::shows(const RecordView& record) const {
  if (key_ && (!record.key || !key_->found_in(*record.key))) return false;
  if (value_ && (!record.value || !value_->found_in(*record.value))) return false;
  return std::ranges::all_of(headers_, [&record](const HeaderCondition& condition) {
    return std::ranges::any_of(record.headers, [&condition](const RecordView::Header& header) {
      return header.key == condition.name &&
             (!condition.value || (header.value && condition.value->found_in(*header.value)));
    });
  });
}

Result<RecordWriter> RecordWriter::make(const std::string& format, RecordParts parts) {
  RecordWriter writer;
  writer.parts_ = parts;
  if (format == "json") return writer;
  const std::string expanded = expand(format, parts);
  const auto items = parse_format(expanded, FormatUse::print);
  if (!items) return std::unexpected(items.error());
  const auto uses = [&items](Verb verb) {
    return std::ranges::any_of(*items, [verb](const FormatItem& item) { return item.verb == verb; });
  };
  writer.needs_headers_ = uses(Verb::headers) || uses(Verb::header_count);
  writer.needs_watermarks_ = uses(Verb::log_start) || uses(Verb::high_watermark);
  auto printer = FormatPrinter::make(expanded);
  if (!printer) return std::unexpected(printer.error());
  writer.printer_ = std::move(*printer);
  return writer;
}

void RecordWriter::write(const RecordView& record) {
  if (printer_) {
    printer_->append(buffer_, record);
  } else {
    append_json(buffer_, record, parts_);
    buffer_ += '\n';
  }
}

bool RecordWriter::flush() {
  if (is_broken_) return false;
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      output_failed(count < 0 ? errno : 0);
      is_broken_ = true;
      return false;
    }
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  buffer_.clear();
  return true;
}

}  // namespace tailwater::apps::cli
