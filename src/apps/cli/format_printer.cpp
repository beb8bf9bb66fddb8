#include "apps/cli/format_printer.hpp"

#include <fmt/format.h>

#include <iterator>

#include "apps/cli/text_encoding.hpp"
#include "apps/cli/time_text.hpp"
#include "apps/cli/unpack.hpp"

namespace tailwater::apps::cli {

namespace {

std::int64_t size_of(const std::optional<std::string_view>& text) {
  return text ? static_cast<std::int64_t>(text->size()) : -1;
}

void append_number(std::string& out, const NumberForm& form, std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  switch (form.kind) {
    case NumberForm::Kind::constant:
    case NumberForm::Kind::ascii:
      fmt::format_to(std::back_inserter(out), "{}", value);
      return;
    case NumberForm::Kind::boolean:
      out += value != 0 ? "true" : "false";
      return;
    case NumberForm::Kind::hex: {
      const unsigned digits = form.bytes == 0 ? 1 : 2 * form.bytes;
      const std::uint64_t kept = digits >= 16 ? bits : bits & ((std::uint64_t{1} << (4 * digits)) - 1);
      fmt::format_to(std::back_inserter(out), "{:0{}x}", kept, digits);
      return;
    }
    case NumberForm::Kind::big:
      for (unsigned index = form.bytes; index-- > 0;) out += static_cast<char>((bits >> (8 * index)) & 0xFFU);
      return;
    case NumberForm::Kind::little:
      for (unsigned index = 0; index < form.bytes; ++index)
        out += static_cast<char>((bits >> (8 * index)) & 0xFFU);
      return;
  }
}

void append_text(std::string& out, const FormatItem& item, std::string_view text) {
  switch (item.text) {
    case TextForm::json:
    case TextForm::plain:
      out += text;
      return;
    case TextForm::hex:
      append_hex(out, text);
      return;
    case TextForm::base64:
      append_base64(out, text, Padding::with);
      return;
    case TextForm::base64raw:
      append_base64(out, text, Padding::without);
      return;
    case TextForm::unpack:
      append_unpacked(out, item.literal, text);
      return;
  }
}

void append_time(std::string& out, const FormatItem& item, std::int64_t timestamp) {
  switch (item.time) {
    case TimeForm::number:
      append_number(out, item.number, timestamp);
      return;
    case TimeForm::rfc3339:
      out += rfc3339_text(timestamp);
      return;
    case TimeForm::strftime:
      out += strftime_text(item.literal, timestamp);
      return;
    case TimeForm::go:
      out += go_time_text(item.literal, timestamp);
      return;
  }
}

std::int64_t number_of(Verb verb, const RecordView& record, std::int64_t count) {
  switch (verb) {
    case Verb::topic_size:
      return static_cast<std::int64_t>(record.topic.size());
    case Verb::key_size:
      return size_of(record.key);
    case Verb::value_size:
      return size_of(record.value);
    case Verb::header_count:
      return static_cast<std::int64_t>(record.headers.size());
    case Verb::partition:
      return record.partition;
    case Verb::offset:
      return record.offset;
    case Verb::log_start:
      return record.log_start;
    case Verb::high_watermark:
      return record.high_watermark;
    case Verb::counter:
      return count;
    default:
      return -1;
  }
}

void append_item(std::string& out, const FormatItem& item, const RecordView& record, std::int64_t count) {
  switch (item.verb) {
    case Verb::literal:
      out += item.literal;
      return;
    case Verb::topic:
      append_text(out, item, record.topic);
      return;
    case Verb::key:
      append_text(out, item, record.key.value_or(""));
      return;
    case Verb::value:
      append_text(out, item, record.value.value_or(""));
      return;
    case Verb::timestamp:
      append_time(out, item, record.timestamp.value_or(-1));
      return;
    case Verb::attribute:
      out += record.appended_time ? "LogAppendTime" : "CreateTime";
      return;
    case Verb::headers:
      for (const RecordView::Header& header : record.headers) {
        RecordView inner;
        inner.key = header.key;
        inner.value = header.value;
        for (const FormatItem& nested : item.nested) append_item(out, nested, inner, count);
      }
      return;
    default:
      append_number(out, item.number, number_of(item.verb, record, count));
  }
}

}  // namespace

Result<FormatPrinter> FormatPrinter::make(std::string_view format) {
  auto items = parse_format(format, FormatUse::print);
  if (!items) return std::unexpected(items.error());
  return FormatPrinter(std::move(*items));
}

void FormatPrinter::append(std::string& out, const RecordView& record) {
  ++count_;
  for (const FormatItem& item : items_) append_item(out, item, record, count_);
}

}  // namespace tailwater::apps::cli
