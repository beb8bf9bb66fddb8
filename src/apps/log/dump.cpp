// As text for people: lines with a '#' say what the next ones are. As JSON a line for each item, told apart
// by "kind". What is on the disk is shown as it is; `log verify` judges it.
#include "apps/log/dump.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "apps/cli/json_output.hpp"
#include "apps/cli/progress.hpp"
#include "apps/cli/record_json.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/text_encoding.hpp"
#include "apps/log/folder.hpp"
#include "core/journal/ring_scan.hpp"
#include "core/log/audit.hpp"
#include "records/compression.hpp"
#include "records/control.hpp"
#include "records/record.hpp"

namespace tailwater::apps::logtools {

namespace {

namespace json = cli::json;

struct Options {
  cli::Settings settings;
  std::string folder;
  std::string topic;
  std::int64_t partition = -1;
  bool journal = false;
  bool records = false;
};

std::string_view name_of(journal::EntryKind kind) {
  using Kind = journal::EntryKind;
  switch (kind) {
    case Kind::batches:
      return "batches";
    case Kind::extent:
      return "extent";
    case Kind::image:
      return "image";
    case Kind::create:
      return "create";
    case Kind::roll:
      return "roll";
    case Kind::truncate:
      return "truncate";
    case Kind::log_start:
      return "log_start";
    case Kind::epoch_start:
      return "epoch_start";
    case Kind::remove:
      return "remove";
    case Kind::producer_snapshot:
      return "producer_snapshot";
    case Kind::restart:
      return "restart";
    case Kind::filler:
      return "filler";
    case Kind::compaction:
      return "compaction";
  }
  return "unknown";
}

std::string bytes_text(std::uint64_t bytes) {
  return cli::size_text(static_cast<std::int64_t>(bytes));
}

class Dumper {
 public:
  Dumper(Folder& folder, const Options& options) : folder_(folder), options_(options) {}

  void run() {
    for (const std::string& journal : folder_.journals()) show_journal_state(journal);
    for (const std::string& name : folder_.log_folders()) {
      if (!shown_.contains(name) && wanted(name)) show_stray(name);
    }
  }
  // After run(): whether there is what was asked for. Tells of records that were not shown.
  Result<int> outcome() const;

 private:
  // A line of text, or an object that says the same.
  void item(std::string_view kind, const std::string& line, json::object fields) {
    if (!options_.settings.json()) {
      fmt::print("{}\n", line);
      return;
    }
    json::object whole{{"kind", kind}};
    for (auto& field : fields) whole.insert(field);
    cli::print_json(whole);
  }
  void note(std::string_view text) const {
    if (!options_.settings.json()) fmt::print("# {}\n", text);
  }
  bool wanted(const std::string& folder) const {
    if (options_.topic.empty()) return true;
    if (options_.partition >= 0) return folder == fmt::format("{}-{}", options_.topic, options_.partition);
    return folder.substr(0, folder.rfind('-')) == options_.topic;
  }

  void show_journal_state(const std::string& journal);
  void show_superblocks(const std::string& journal, const Folder::Head& head);
  void show_journal(const std::string& journal, const journal::Superblock& superblock);
  void show_entry(const journal::EntryCursor::Entry& entry);
  void show_log(const log::ManifestLog& log);
  void show_segment(const std::string& folder, const log::Segment& segment);
  void show_index(const std::string& folder, const log::Segment& segment, log::FileKind kind);
  void show_batch(std::uint64_t position, const records::BatchView& batch, bool crc_ok);
  void show_records(const records::BatchView& batch);
  void show_stray(const std::string& name);

  Folder& folder_;
  const Options& options_;
  records::Codecs codecs_;
  std::map<LogId, std::string> names_;
  std::set<std::string> shown_;
  std::set<std::string> in_journal_;   // logs that have batches there
  std::set<std::string> in_segments_;  // logs that have batches there
};

Result<int> Dumper::outcome() const {
  const auto is_wanted = [this](const std::string& name) { return wanted(name); };
  const bool found =
      std::ranges::any_of(names_, is_wanted, &std::map<LogId, std::string>::value_type::second) ||
      std::ranges::any_of(folder_.log_folders(), is_wanted);
  if (!found && !options_.topic.empty()) {
    const std::string partition =
        options_.partition < 0 ? std::string() : fmt::format(" with a partition {}", options_.partition);
    return fail(Errc::not_found,
                fmt::format("there is no topic '{}'{} in {}", options_.topic, partition, options_.folder));
  }
  std::vector<std::string> hidden;
  std::ranges::set_difference(in_journal_, in_segments_, std::back_inserter(hidden));
  if (hidden.empty() || options_.journal) return kExitDone;
  const std::string others = hidden.size() == 1 ? "" : fmt::format(" and {} more", hidden.size() - 1);
  cli::complain(
      fmt::format("the records of {}{} are only in the journal: --journal shows the entries there, and "
                  "'tailwater log seal' writes them into the segments",
                  hidden.front(), others));
  return kExitDone;
}

void Dumper::show_journal_state(const std::string& journal) {
  const auto head = folder_.head(journal);
  if (!head) return item("error", head.error().message, {{"what", cli::text(head.error().message)}});
  show_superblocks(journal, *head);
  if (head->state == journal::RingHead::unformatted || head->state == journal::RingHead::damaged) return;
  const std::uint64_t generation = head->counts.manifest_generation;
  std::optional<log::Manifest> state;
  const std::string file = Folder::manifest(journal, generation);
  note(
      "The manifest is the state of all logs of the journal at one address of it: the segments, what of them "
      "is in files, leader epochs, producers.");
  if (generation == 0) {
    item("manifest", "no manifest was written yet: everything is in the journal", {{"generation", 0}});
  } else if (auto decoded = folder_.load_manifest(journal, generation)) {
    state = std::move(*decoded);
    item("manifest",
         fmt::format("{}: {} logs as of LSN {}, {} paths to be removed", file, state->logs.size(),
                     state->checkpoint.value, state->doomed.size()),
         {{"file", file},
          {"generation", generation},
          {"checkpoint", state->checkpoint.value},
          {"logs", state->logs.size()},
          {"doomed", state->doomed.size()}});
    for (const auto& log : state->logs) names_[log.id] = fmt::format("{}-{}", log.topic, log.partition.value);
  } else {
    item("error", decoded.error().message, {{"what", cli::text(decoded.error().message)}});
  }
  show_journal(journal, head->counts);
  if (!state) return;
  note(
      "A log is a partition. Its folder has segments (.log: the batches as clients send them, and as Apache "
      "Kafka's tools read them) and sparse indexes, by offset (.index) and by time (.timeindex).");
  for (const log::ManifestLog& log : state->logs) {
    if (wanted(names_.at(log.id))) show_log(log);
  }
}

void Dumper::show_superblocks(const std::string& journal, const Folder::Head& head) {
  const std::string file = Folder::ring(journal);
  note(fmt::format(
      "{}: the journal {}, a ring of frames; its name begins with the shard's number, and -os is for topics "
      "with tailwater.durability=os. What is produced is written here first, and acknowledged when it is "
      "durable, or there when the operating system has it; later it goes to the segments, and the ring is "
      "trimmed. Its two superblocks are written in turn; the one with the larger sequence counts.",
      file, journal));
  for (std::size_t each = 0; each < 2; ++each) {
    const char name = each == 0 ? 'A' : 'B';
    const auto& block = head.blocks[each];
    if (!block) {
      item("superblock", fmt::format("superblock {}: cannot be read", name),
           {{"file", file}, {"name", std::string(1, name)}, {"whole", false}});
      continue;
    }
    const bool counts = *block == head.counts;
    item("superblock",
         fmt::format(
             "superblock {}: sequence {}, start number {}, journal {:016x} of {} with frames up to {}, "
             "live from LSN {}, manifest {}, {} jumps, {}{}",
             name, block->sequence, block->incarnation, block->journal_id, bytes_text(block->capacity),
             bytes_text(block->frame_bytes_max), block->trim.value, block->manifest_generation,
             block->jumps.size(), block->clean ? "stopped cleanly" : "in use when it was written",
             counts ? "; it counts" : ""),
         {{"file", file},
          {"name", std::string(1, name)},
          {"whole", true},
          {"counts", counts},
          {"sequence", block->sequence},
          {"incarnation", block->incarnation},
          {"journal_id", fmt::format("{:016x}", block->journal_id)},
          {"capacity", block->capacity},
          {"frame_bytes_max", block->frame_bytes_max},
          {"trim_lsn", block->trim.value},
          {"manifest_generation", block->manifest_generation},
          {"jumps", block->jumps.size()},
          {"clean", block->clean}});
  }
}

void Dumper::show_journal(const std::string& journal, const journal::Superblock& superblock) {
  journal::RingScan scan(superblock);
  Buffer memory;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  if (options_.journal)
    note(
        "A frame is one durable write; its entries are batches, or changes of logs, by the ids of the logs.");
  while (const auto range = scan.wanted()) {
    memory.resize(range->size);
    const auto got = folder_.files().read(Folder::ring(journal), range->position, memory);
    if (!got) return item("error", got.error().message, {{"what", cli::text(got.error().message)}});
    scan.feed(
        Bytes(memory).first(*got), [&](const journal::FrameHeader& frame, journal::EntryCursor entries) {
          ++frames;
          bytes += frame.frame_bytes();
          if (options_.journal) {
            item("frame",
                 fmt::format("frame at LSN {}: {} entries in {}, settled up to {}, start number {}",
                             frame.lsn.value, frame.entry_count, bytes_text(frame.payload_bytes),
                             frame.settled.value, frame.incarnation),
                 {{"lsn", frame.lsn.value},
                  {"entries", frame.entry_count},
                  {"payload_bytes", frame.payload_bytes},
                  {"settled_lsn", frame.settled.value},
                  {"incarnation", frame.incarnation}});
          }
          while (const auto entry = entries.next()) {
            if (entry->header.kind == journal::EntryKind::create && entry->content.size() > 20) {
              names_[entry->header.log] = fmt::format("{}-{}", as_text(entry->content.subspan(20)),
                                                      load_little<std::int32_t>(entry->content.data() + 16));
            }
            const auto known = names_.find(entry->header.log);
            if (entry->header.kind == journal::EntryKind::batches && known != names_.end() &&
                wanted(known->second)) {
              in_journal_.insert(known->second);
            }
            if (options_.journal) show_entry(*entry);
          }
          return true;
        });
  }
  item("journal",
       fmt::format("journal: {} frames, {} live, up to LSN {}{}", frames, bytes_text(bytes), scan.end().value,
                   scan.damaged() ? "; DAMAGED there: what was acknowledged behind it cannot be read" : ""),
       {{"frames", frames}, {"bytes", bytes}, {"end_lsn", scan.end().value}, {"damaged", scan.damaged()}});
}

void Dumper::show_entry(const journal::EntryCursor::Entry& entry) {
  const journal::EntryHeader& header = entry.header;
  const auto known = names_.find(header.log);
  const std::string name = known == names_.end() ? fmt::format("log {}", header.log.value) : known->second;
  if (known != names_.end() && !wanted(name)) return;
  item("entry",
       fmt::format("  {:<12} {}: segment {}, position {}, offset {}, argument {}, {} bytes",
                   name_of(header.kind), name, header.segment_base, header.position, header.base_offset,
                   header.argument, header.length),
       {{"entry", name_of(header.kind)},
        {"log", cli::text(name)},
        {"log_id", header.log.value},
        {"segment", header.segment_base},
        {"position", header.position},
        {"offset", header.base_offset},
        {"argument", header.argument},
        {"length", header.length}});
}

void Dumper::show_log(const log::ManifestLog& log) {
  const std::string name = names_.at(log.id);
  shown_.insert(name);
  json::array epochs;
  std::string epoch_text;
  for (const log::EpochEntry& epoch : log.epochs) {
    epochs.push_back(json::object{{"epoch", epoch.epoch.value}, {"start", epoch.start.value}});
    epoch_text +=
        fmt::format("{}{} from {}", epoch_text.empty() ? "" : ", ", epoch.epoch.value, epoch.start.value);
  }
  item("log",
       fmt::format(
           "\n{}: offsets {} to {} in {} segments; log id {}, topic id {}; leader epochs: {}; {} producers, "
           "{} aborted transactions",
           name, log.start.value, log.end.value, log.segments.size(), log.id.value, to_string(log.topic_id),
           epoch_text.empty() ? "none" : epoch_text, log.producers.size(), log.aborted.size()),
       {{"topic", cli::text(log.topic)},
        {"partition", log.partition.value},
        {"log_id", log.id.value},
        {"topic_id", to_string(log.topic_id)},
        {"start", log.start.value},
        {"end", log.end.value},
        {"compacted_to", log.compacted.value},
        {"epochs", std::move(epochs)},
        {"producers", log.producers.size()},
        {"aborted", log.aborted.size()}});
  for (const log::Segment& segment : log.segments) show_segment(name, segment);
}

void Dumper::show_segment(const std::string& folder, const log::Segment& segment) {
  const std::string path = folder + "/" + log::segment_name(segment.base, log::FileKind::records);
  const std::uint64_t on_disk = folder_.files().size(path).value_or(0);
  item("segment",
       fmt::format("{}: offsets {} to {}, {} bytes, of them {} in the file, which has {}; {}", path,
                   segment.base.value, segment.next.value, segment.size, segment.flushed, on_disk,
                   segment.sealed ? "sealed" : "takes new batches"),
       {{"file", path},
        {"base", segment.base.value},
        {"next", segment.next.value},
        {"bytes", segment.size},
        {"flushed", segment.flushed},
        {"file_bytes", on_disk},
        {"sealed", segment.sealed}});
  Offset floor = segment.base;
  Walk walk;
  walk.floor = [&] { return floor; };
  walk.batch = [&](std::uint64_t position, const records::BatchView& batch) -> std::string {
    if (batch.base_offset() < floor || batch.last_offset() < batch.base_offset())
      return "the bytes are no batch that follows";
    const bool crc_ok = batch.crc_matches();
    in_segments_.insert(folder);
    show_batch(position, batch, crc_ok);
    if (options_.records && crc_ok) show_records(batch);
    floor = batch.last_offset() + 1;
    return {};
  };
  walk.damage = [&](std::uint64_t from, std::uint64_t to, const std::string& what) {
    const bool counts = from < segment.flushed;
    item(counts ? "damage" : "rest",
         counts ? fmt::format("  at {}: {}, {} bytes", from, what, to - from)
                : fmt::format("  at {}: {} bytes behind what counts", from, to - from),
         {{"file", path}, {"position", from}, {"bytes", to - from}, {"what", what}});
  };
  if (on_disk > 0) {
    if (auto walked = walk_segment(folder_.files(), path, on_disk, walk); !walked)
      item("error", walked.error().message, {{"what", cli::text(walked.error().message)}});
  }
  show_index(folder, segment, log::FileKind::index);
  show_index(folder, segment, log::FileKind::time_index);
}

void Dumper::show_index(const std::string& folder, const log::Segment& segment, log::FileKind kind) {
  const bool by_offset = kind == log::FileKind::index;
  const std::size_t size = by_offset ? log::kIndexEntrySize : log::kTimeEntrySize;
  const std::uint32_t entries = by_offset ? segment.stored.entries : segment.stored.time_entries;
  const std::string path = folder + "/" + log::segment_name(segment.base, kind);
  const auto content = folder_.files().load(path);
  if (!content) {
    if (entries == 0) return;
    return item("error", content.error().message, {{"what", cli::text(content.error().message)}});
  }
  item("index", fmt::format("{}: {} entries count", path, entries), {{"file", path}, {"entries", entries}});
  for (std::size_t each = 0; each < entries && (each + 1) * size <= content->size(); ++each) {
    const std::byte* at = content->data() + each * size;
    if (by_offset) {
      const std::int64_t offset = segment.base.value + load_big<std::int32_t>(at);
      const auto position = load_big<std::int32_t>(at + 4);
      item("index_entry", fmt::format("  offset {} ends the batch at {}", offset, position),
           {{"offset", offset}, {"position", position}});
    } else {
      const auto timestamp = load_big<std::int64_t>(at);
      const std::int64_t offset = segment.base.value + load_big<std::int32_t>(at + 8);
      item("time_index_entry",
           fmt::format("  timestamp {} is the largest up to offset {}", timestamp, offset),
           {{"timestamp", timestamp}, {"offset", offset}});
    }
  }
}

void Dumper::show_batch(std::uint64_t position, const records::BatchView& batch, bool crc_ok) {
  std::string_view marker;
  if (const auto end = records::read_end_marker(batch))
    marker = end->type == records::ControlType::commit ? "commit" : "abort";
  std::string line =
      fmt::format("  at {}: offsets {} to {}, {} records in {} bytes, {}, epoch {}, timestamp {}", position,
                  batch.base_offset().value, batch.last_offset().value, batch.records_count(), batch.size(),
                  to_string(batch.codec()), batch.leader_epoch().value, batch.max_timestamp());
  if (batch.has_producer()) {
    line += fmt::format(", producer {} epoch {} sequence {}", batch.producer_id().value,
                        batch.producer_epoch().value, batch.base_sequence());
  }
  if (batch.is_transactional()) line += ", transactional";
  if (batch.is_control()) line += fmt::format(", control{}{}", marker.empty() ? "" : " ", marker);
  line += crc_ok ? ", checksum ok" : ", CHECKSUM WRONG";
  item("batch", line,
       {{"position", position},
        {"base_offset", batch.base_offset().value},
        {"last_offset", batch.last_offset().value},
        {"records", batch.records_count()},
        {"bytes", batch.size()},
        {"codec", to_string(batch.codec())},
        {"leader_epoch", batch.leader_epoch().value},
        {"max_timestamp", batch.max_timestamp()},
        {"producer_id", batch.producer_id().value},
        {"producer_epoch", batch.producer_epoch().value},
        {"base_sequence", batch.base_sequence()},
        {"transactional", batch.is_transactional()},
        {"control", batch.is_control()},
        {"marker", marker.empty() ? json::value(nullptr) : json::value(marker)},
        {"crc_ok", crc_ok}});
}

void Dumper::show_records(const records::BatchView& batch) {
  if (batch.is_control()) return;
  const auto opened =
      codecs_.open(batch.codec(), batch.records(), records::decompressed_cap(batch.records().size()));
  if (!opened)
    return item("error", "    its records cannot be decompressed: " + opened.error().message,
                {{"what", cli::text(opened.error().message)}});
  records::RecordCursor cursor(*opened, batch.records_count());
  const auto shown = [](const std::optional<Bytes>& bytes) {
    return bytes ? cli::printable(as_text(*bytes)) : std::string("null");
  };
  while (const auto record = cursor.next()) {
    const std::int64_t offset = records::offset_of(batch, *record).value;
    const std::int64_t timestamp = records::timestamp_of(batch, *record);
    item("record", fmt::format("    {}: {} = {}", offset, shown(record->key), shown(record->value)),
         {{"offset", offset},
          {"timestamp", timestamp},
          {"key", record->key ? cli::text(as_text(*record->key)) : json::value(nullptr)},
          {"value", record->value ? cli::text(as_text(*record->value)) : json::value(nullptr)}});
  }
}

// A folder that the manifest does not name: of a log that came after it, or of nobody.
void Dumper::show_stray(const std::string& name) {
  item("folder", fmt::format("\n{}: no manifest names it; the journal may", name),
       {{"folder", cli::text(name)}});
  for (const Offset base : folder_.segments(name)) {
    log::Segment segment;
    segment.base = segment.next = base;
    show_segment(name, segment);
  }
}

Result<int> dump(const Options& options) {
  if (options.partition >= 0 && options.topic.empty())
    return fail(Errc::invalid_argument, "--partition needs --topic");
  auto folder = Folder::open(options.folder);
  if (!folder) return std::unexpected(folder.error());
  Dumper dumper(*folder, options);
  dumper.run();
  return dumper.outcome();
}

}  // namespace

void add_dump_command(Command& log) {
  auto options = std::make_shared<Options>();
  Command command = log.command("dump", "Show what the files hold: journal, manifest, segments, indexes.");
  command.argument("FOLDER", options->folder, "A folder of log.dirs; no broker may use it.").required();
  command.option("-t,--topic", options->topic, "TOPIC", "Only logs of this topic.");
  command.option("-p,--partition", options->partition, "N", "Only this partition of it.").without_default();
  command.flag("--journal", options->journal, "Also every frame of the journal and its entries.");
  command.flag("--records", options->records, "Also the records of each batch.");
  cli::add_format(command, options->settings);
  command.examples(
      "  tailwater log dump /var/lib/tailwater\n"
      "  tailwater log dump /var/lib/tailwater -t orders -p 0 --records\n"
      "  tailwater log dump /var/lib/tailwater --format json | jq 'select(.kind==\"batch\" and "
      "(.crc_ok|not))'\n");
  command.action([options] { return cli::finish(dump(*options)); });
}

}  // namespace tailwater::apps::logtools
