#include "sim/trimmer.hpp"

#include "wire/api/delete_records.hpp"

namespace tailwater::sim {

namespace {

constexpr std::int16_t kDeleteRecordsVersion = 1;
constexpr Duration kPauseMax = Duration::from_ms(8'000);
// All that is there.
constexpr std::int64_t kHighWatermark = -1;

}  // namespace

Trimmer::Trimmer(Agenda& agenda, Network& network, Ledger& ledger, std::string topic,
                 std::vector<TrackNumber> tracks)
    : agenda_(agenda),
      ledger_(ledger),
      topic_(std::move(topic)),
      tracks_(std::move(tracks)),
      client_(agenda, network, "trimmer", [this] { again(); }) {}

void Trimmer::again() {
  if (finishing_) return;
  agenda_.soon(kPauseMax, [this] {
    if (!finishing_ && !client_.busy()) ask();
  });
}

void Trimmer::ask() {
  Prng& random = agenda_.random();
  const std::size_t partition = random.below(tracks_.size());
  const TrackNumber track = tracks_[partition];
  const Ledger::Floor floor = ledger_.floor(track);
  const auto left = static_cast<std::uint64_t>(floor.end - floor.start);
  const bool all = random.one_in(16);
  const std::int64_t before =
      all ? kHighWatermark : floor.start + static_cast<std::int64_t>(random.below(left + 1));
  ledger_.deletion_asked(track, all ? INT64_MAX : before);
  wire::DeleteRecordsRequest request;
  request.timeout_ms = 10'000;
  request.topics.push_back(
      {.name = topic_,
       .partitions = {{.partition_index = static_cast<std::int32_t>(partition), .offset = before}}});
  client_.ask(
      kDeleteRecordsVersion, request, [this, track, floor, before](wire::DeleteRecordsResponse&& response) {
        const auto& answer = response.topics.at(0).partitions.at(0);
        if (answer.error_code == wire::ErrorCode::none) {
          const std::int64_t least = before == kHighWatermark ? floor.end : before;
          if (answer.low_watermark < least)
            ledger_.fail("I17: " + ledger_.name(track) + " starts at " +
                         std::to_string(answer.low_watermark) + " after all before " + std::to_string(least) +
                         " was deleted");
          ledger_.deletion_done(track, answer.low_watermark);
        } else if (!wire::retriable(answer.error_code) &&
                   answer.error_code != wire::ErrorCode::offset_out_of_range) {
          // Out of range: retention was faster.
          ledger_.fail("I18: DeleteRecords refused with " + std::string(wire::name(answer.error_code)));
        }
        again();
      });
}

}  // namespace tailwater::sim
