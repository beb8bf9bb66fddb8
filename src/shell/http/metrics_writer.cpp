// The Prometheus text format, version 0.0.4.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "shell/http/metrics_text.hpp"

namespace tailwater::shell {

namespace {

void append_label_value(std::string& text, std::string_view value) {
  for (const char character : value) {
    if (character == '\\' || character == '"') {
      text += '\\';
      text += character;
    } else if (character == '\n') {
      text += "\\n";
    } else {
      text += character;
    }
  }
}

// Microseconds as seconds, exactly: 64 is "0.000064".
std::string seconds_text(std::uint64_t us) {
  std::string text = fmt::format("{}.{:06}", us / 1'000'000, us % 1'000'000);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

constexpr std::size_t kFirstBucket = 5;  // up to 64 us
constexpr std::size_t kLastBucket = 23;  // up to 16.8 s

}  // namespace

void MetricsWriter::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void MetricsWriter::name_and_labels(std::string_view suffix, const Labels& labels) {
  text_ += name_;
  text_ += suffix;
  if (labels.empty()) return;
  char separator = '{';
  for (const auto& [name, value] : labels) {
    text_ += separator;
    text_ += name;
    text_ += "=\"";
    append_label_value(text_, value);
    text_ += '"';
    separator = ',';
  }
  text_ += '}';
}

void MetricsWriter::sample_as(std::string_view suffix, const Labels& labels, std::uint64_t value) {
  name_and_labels(suffix, labels);
  fmt::format_to(std::back_inserter(text_), " {}\n", value);
}

void MetricsWriter::sample(const Labels& labels, std::int64_t value) {
  name_and_labels("", labels);
  fmt::format_to(std::back_inserter(text_), " {}\n", value);
}

void MetricsWriter::sample(const Labels& labels, double value) {
  name_and_labels("", labels);
  fmt::format_to(std::back_inserter(text_), " {:.3f}\n", value);
}

void MetricsWriter::histogram(const Labels& labels, const DurationHistogram& histogram) {
  Labels with_bound = labels;
  with_bound.emplace_back("le", "");
  std::uint64_t below = 0;
  for (std::size_t bucket = 0; bucket <= kLastBucket; ++bucket) {
    below += histogram.buckets[bucket];
    if (bucket < kFirstBucket) continue;
    const std::string bound = seconds_text(std::uint64_t{2} << bucket);
    with_bound.back().second = bound;
    sample_as("_bucket", with_bound, below);
  }
  with_bound.back().second = "+Inf";
  sample_as("_bucket", with_bound, histogram.count);
  name_and_labels("_sum", labels);
  fmt::format_to(std::back_inserter(text_), " {}\n", seconds_text(histogram.sum_us));
  sample_as("_count", labels, histogram.count);
}

}  // namespace tailwater::shell
