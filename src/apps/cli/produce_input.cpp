#include "apps/cli/produce_input.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "apps/cli/format_printer.hpp"
#include "apps/cli/format_reader.hpp"
#include "apps/cli/json_scan.hpp"
#include "apps/cli/record_json.hpp"
#include "apps/cli/time_text.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr int kIdlePause = 100;  // ms

class FormatSource : public RecordSource {
 public:
  FormatSource(FormatReader reader, ByteStream stream)
      : reader_(std::move(reader)), stream_(std::move(stream)) {}
  Result<bool> next(InputRecord& record) override { return reader_.next(stream_, record); }

 private:
  FormatReader reader_;
  ByteStream stream_;
};

class JsonSource : public RecordSource {
 public:
  explicit JsonSource(ByteStream stream) : stream_(std::move(stream)) {}

  Result<bool> next(InputRecord& record) override {
    if (!skip_space(stream_)) return false;
    ++count_;
    const auto text = take_json(stream_);
    if (!text) return fail(text.error().code, fmt::format("record {}: {}", count_, text.error().message));
    if (auto read = read_json(*text, record); !read) {
      return fail(read.error().code, fmt::format("record {}: {}", count_, read.error().message));
    }
    return true;
  }

 private:
  ByteStream stream_;
  std::int64_t count_ = 0;
};

class TemplateSource : public RecordSource {
 public:
  explicit TemplateSource(FormatPrinter printer) : printer_(std::move(printer)) {}

  Result<bool> next(InputRecord& record) override {
    record = InputRecord{};
    RecordView view;
    view.timestamp = unix_now_ms();
    printer_.append(record.value.emplace(), view);
    return true;
  }

 private:
  FormatPrinter printer_;
};

}  // namespace

Result<std::unique_ptr<RecordSource>> format_source(const std::string& format, ByteStream stream) {
  auto reader = FormatReader::make(format);
  if (!reader) return std::unexpected(reader.error());
  return std::make_unique<FormatSource>(std::move(*reader), std::move(stream));
}

std::unique_ptr<RecordSource> json_source(ByteStream stream) {
  return std::make_unique<JsonSource>(std::move(stream));
}

Result<std::unique_ptr<RecordSource>> template_source(const std::string& pattern) {
  const auto items = parse_format(pattern, FormatUse::print);
  if (!items) return std::unexpected(items.error());
  for (const FormatItem& item : *items) {
    if (item.verb == Verb::literal || item.verb == Verb::counter || item.verb == Verb::timestamp) continue;
    return fail(
        Errc::invalid_argument,
        fmt::format("--template knows %i (the record's number) and %d (now), not {}", verb_name(item.verb)));
  }
  auto printer = FormatPrinter::make(pattern);
  if (!printer) return std::unexpected(printer.error());
  return std::make_unique<TemplateSource>(std::move(*printer));
}

ByteStream::Source file_source(int descriptor, std::function<bool()> idle) {
  return [descriptor, idle = std::move(idle)](char* to, std::size_t size) -> std::size_t {
    for (;;) {
      pollfd waited{descriptor, POLLIN, 0};
      const int ready = ::poll(&waited, 1, kIdlePause);
      if (ready <= 0) {
        if (!idle()) return 0;
        continue;
      }
      const ssize_t count = ::read(descriptor, to, size);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR && errno != EAGAIN) return 0;
    }
  };
}

}  // namespace tailwater::apps::cli
