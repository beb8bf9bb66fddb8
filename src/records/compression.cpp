#include "records/compression.hpp"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <array>
#include <cstring>

#include "base/check.hpp"

namespace tailwater::records {

namespace {

constexpr std::size_t kFirstRoom = 4096;
// Scratch memory beyond this is given back at the next use.
constexpr std::size_t kScratchKept = std::size_t{4} << 20;
// No batch is larger; it also keeps zlib's 32-bit counters right.
constexpr std::size_t kInputMax = INT32_MAX;

// A xerial stream: 8 magic bytes, version i32, lowest compatible version i32, then chunks of i32 length and
// raw block.
constexpr std::array<std::uint8_t, 8> kXerialMagic = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr std::size_t kXerialHeader = 16;
constexpr std::size_t kXerialBlock = 32 * 1024;
// The densest that snappy can say is 64 bytes in 3: what announces more is a lie.
constexpr std::size_t kSnappyRatioMax = 64;

std::unexpected<Error> ends_early() {
  return fail(Errc::truncated, "the compressed records end too early");
}
std::unexpected<Error> not_of_codec() {
  return fail(Errc::malformed, "the compressed records are malformed");
}
std::unexpected<Error> beyond_cap() {
  return fail(Errc::too_large, "the compressed records hold more than is allowed");
}

// Output of unknown size: grows by doubling, never beyond the cap. At the cap a spare byte takes the place of
// room, so that a library can still find its end; whatever it writes there is too much.
class Sink {
 public:
  Sink(Buffer& out, std::size_t cap) : out_(out), cap_(cap) {}

  std::size_t used() const { return used_; }
  std::size_t left() const { return cap_ - used_; }

  // Some room, at least a byte; `hint` is the size of all output if one had to guess.
  MutableBytes room(std::size_t hint) {
    if (used_ == cap_) return {&spare_, 1};
    if (used_ == size()) grow(std::max({kFirstRoom, 2 * used_, hint}));
    return {out_.data() + used_, size() - used_};
  }
  // Room of exactly `count` bytes. REQUIRES: count <= left().
  MutableBytes exactly(std::size_t count) {
    CHECK(count <= left());
    if (count == 0) return {&spare_, 0};
    if (used_ + count > size()) grow(std::max(2 * used_, used_ + count));
    return {out_.data() + used_, count};
  }
  // False if the bytes went into the spare.
  [[nodiscard]] bool wrote(std::size_t count) {
    if (count > left()) return false;
    used_ += count;
    return true;
  }

 private:
  std::size_t size() const { return std::min(out_.size(), cap_); }
  void grow(std::size_t wanted) {
    const std::size_t target = std::min(wanted, cap_);
    out_.reserve(target);  // exactly; resize() alone may take more than the cap
    out_.resize(target);
  }

  Buffer& out_;
  std::size_t cap_;
  std::size_t used_ = 0;
  std::byte spare_{};
};

template <class Byte>
Byte* bytes_as(const std::byte* bytes) {
  return reinterpret_cast<Byte*>(bytes);
}
template <class Byte>
Byte* bytes_as(std::byte* bytes) {
  return reinterpret_cast<Byte*>(bytes);
}

bool is_xerial(Bytes in) {
  return in.size() >= kXerialMagic.size() &&
         std::memcmp(in.data(), kXerialMagic.data(), kXerialMagic.size()) == 0;
}

Result<void> snappy_block(Bytes in, Sink& sink) {
  std::size_t announced = 0;
  const auto* const from = bytes_as<const char>(in.data());
  if (!snappy::GetUncompressedLength(from, in.size(), &announced)) return not_of_codec();
  if (announced > sink.left()) return beyond_cap();
  if (announced / kSnappyRatioMax > in.size()) return not_of_codec();
  const MutableBytes room = sink.exactly(announced);
  if (!snappy::RawUncompress(from, in.size(), bytes_as<char>(room.data()))) return not_of_codec();
  CHECK(sink.wrote(announced));
  return {};
}

Result<void> snappy_decompress(Bytes in, Sink& sink) {
  if (!is_xerial(in)) return snappy_block(in, sink);
  while (!in.empty()) {
    // Streams may follow one another; versions are not looked at, since writers disagree about them.
    if (is_xerial(in)) {
      if (in.size() < kXerialHeader) return ends_early();
      in = in.subspan(kXerialHeader);
      continue;
    }
    if (in.size() < sizeof(std::int32_t)) return ends_early();
    const auto length = load_big<std::int32_t>(in.data());
    in = in.subspan(sizeof length);
    if (length <= 0) return not_of_codec();
    if (static_cast<std::size_t>(length) > in.size()) return ends_early();
    if (auto done = snappy_block(in.first(static_cast<std::size_t>(length)), sink); !done) return done;
    in = in.subspan(static_cast<std::size_t>(length));
  }
  return {};
}

void snappy_compress(Bytes in, Buffer& out) {
  const std::size_t blocks = (in.size() + kXerialBlock - 1) / kXerialBlock;
  out.resize(kXerialHeader + blocks * (sizeof(std::int32_t) + snappy::MaxCompressedLength(kXerialBlock)));
  std::memcpy(out.data(), kXerialMagic.data(), kXerialMagic.size());
  store_big(out.data() + 8, std::int32_t{1});
  store_big(out.data() + 12, std::int32_t{1});
  std::size_t used = kXerialHeader;
  while (!in.empty()) {
    const Bytes block = in.first(std::min(in.size(), kXerialBlock));
    std::size_t length = 0;
    snappy::RawCompress(bytes_as<const char>(block.data()), block.size(),
                        bytes_as<char>(out.data() + used + sizeof(std::int32_t)), &length);
    store_big(out.data() + used, static_cast<std::int32_t>(length));
    used += sizeof(std::int32_t) + length;
    in = in.subspan(block.size());
  }
  out.resize(used);
}

}  // namespace

// The libraries' contexts, each made at its first use.
struct Codecs::Contexts {
  Contexts() = default;
  Contexts(const Contexts&) = delete;
  Contexts& operator=(const Contexts&) = delete;
  ~Contexts() {
    if (inflating) inflateEnd(&inflater);
    if (deflating) deflateEnd(&deflater);
    LZ4F_freeDecompressionContext(lz4_reader);
    LZ4F_freeCompressionContext(lz4_writer);
    ZSTD_freeDCtx(zstd_reader);
    ZSTD_freeCCtx(zstd_writer);
  }

  Result<void> gzip_decompress(Bytes in, Sink& sink);
  Result<void> lz4_decompress(Bytes in, Sink& sink);
  Result<void> lz4_decompress_frames(Bytes in, Sink& sink);
  Result<Bytes> lz4_begin_frame(Bytes in, const Sink& sink);
  Result<void> zstd_decompress(Bytes in, Sink& sink);
  Result<void> decompress(Codec codec, Bytes in, Sink& sink);

  void gzip_compress(std::optional<int> level, Bytes in, Buffer& out);
  void lz4_compress(std::optional<int> level, Bytes in, Buffer& out);
  void zstd_compress(std::optional<int> level, Bytes in, Buffer& out);

  z_stream inflater{};
  z_stream deflater{};
  bool inflating = false;
  bool deflating = false;
  int deflate_level = 0;
  LZ4F_dctx* lz4_reader = nullptr;
  LZ4F_cctx* lz4_writer = nullptr;
  ZSTD_DCtx* zstd_reader = nullptr;
  ZSTD_CCtx* zstd_writer = nullptr;
  Buffer scratch;
};

Result<void> Codecs::Contexts::gzip_decompress(Bytes in, Sink& sink) {
  constexpr int kGzipOnly = 15 + 16;
  if (!inflating) CHECK(inflateInit2(&inflater, kGzipOnly) == Z_OK);
  inflating = true;
  CHECK(inflateReset(&inflater) == Z_OK);
  // zlib reads only, its interface merely lacks the const.
  inflater.next_in = bytes_as<Bytef>(const_cast<std::byte*>(in.data()));
  inflater.avail_in = static_cast<uInt>(in.size());
  for (;;) {
    const MutableBytes room = sink.room(4 * in.size());
    const std::size_t offered = std::min(room.size(), kInputMax);
    inflater.next_out = bytes_as<Bytef>(room.data());
    inflater.avail_out = static_cast<uInt>(offered);
    const int outcome = inflate(&inflater, Z_NO_FLUSH);
    CHECK(outcome != Z_MEM_ERROR);
    CHECK(outcome != Z_STREAM_ERROR);
    if (!sink.wrote(offered - inflater.avail_out)) return beyond_cap();
    if (outcome == Z_STREAM_END) {
      if (inflater.avail_in == 0) return {};
      CHECK(inflateReset(&inflater) == Z_OK);  // another member follows
      continue;
    }
    if (outcome != Z_OK && outcome != Z_BUF_ERROR) return not_of_codec();
    if (inflater.avail_in == 0 && inflater.avail_out != 0) return ends_early();
  }
}

// Reads a frame's header; gives the bytes behind it.
Result<Bytes> Codecs::Contexts::lz4_begin_frame(Bytes in, const Sink& sink) {
  if (in.size() < LZ4F_MIN_SIZE_TO_KNOW_HEADER_LENGTH) return ends_early();
  const std::size_t header = LZ4F_headerSize(in.data(), in.size());
  if (LZ4F_isError(header)) return not_of_codec();
  if (header > in.size()) return ends_early();
  LZ4F_frameInfo_t info{};
  std::size_t taken = in.size();
  if (LZ4F_isError(LZ4F_getFrameInfo(lz4_reader, &info, in.data(), &taken))) return not_of_codec();
  if (info.frameType == LZ4F_skippableFrame) return not_of_codec();
  if (info.contentSize > sink.left()) return beyond_cap();
  return in.subspan(taken);
}

Result<void> Codecs::Contexts::lz4_decompress(Bytes in, Sink& sink) {
  auto done = lz4_decompress_frames(in, sink);
  if (!done) {
    // The library's reset (1.9.4) forgets the size that an unfinished frame announced, and would refuse the
    // next, sound frame for it. One bad batch must not spoil the others: start afresh.
    LZ4F_freeDecompressionContext(lz4_reader);
    lz4_reader = nullptr;
  }
  return done;
}

Result<void> Codecs::Contexts::lz4_decompress_frames(Bytes in, Sink& sink) {
  if (lz4_reader == nullptr) CHECK(!LZ4F_isError(LZ4F_createDecompressionContext(&lz4_reader, LZ4F_VERSION)));
  LZ4F_resetDecompressionContext(lz4_reader);
  const std::size_t guess = 4 * in.size();
  while (!in.empty()) {
    Result<Bytes> rest = lz4_begin_frame(in, sink);
    if (!rest) return std::unexpected(std::move(rest.error()));
    in = *rest;
    for (std::size_t expected = 1; expected != 0;) {
      const MutableBytes room = sink.room(guess);
      std::size_t written = room.size();
      std::size_t taken = in.size();
      expected = LZ4F_decompress(lz4_reader, room.data(), &written, in.data(), &taken, nullptr);
      if (LZ4F_isError(expected)) return not_of_codec();
      if (!sink.wrote(written)) return beyond_cap();
      in = in.subspan(taken);
      if (expected != 0 && in.empty() && written < room.size()) return ends_early();
    }
  }
  return {};
}

Result<void> Codecs::Contexts::zstd_decompress(Bytes in, Sink& sink) {
  // One call with room for everything needs no window memory, which a frame could announce as large as it
  // likes. The room is guessed and, if it was too small, taken four times as large: at most a third of the
  // work is done twice.
  constexpr std::size_t kPlausible = 64;
  constexpr std::size_t kPlausibleAlways = 64 * 1024;
  if (zstd_reader == nullptr) zstd_reader = ZSTD_createDCtx();
  CHECK(zstd_reader != nullptr);
  const unsigned long long announced = ZSTD_getFrameContentSize(in.data(), in.size());
  std::size_t size = 8 * in.size();
  if (announced != ZSTD_CONTENTSIZE_UNKNOWN && announced != ZSTD_CONTENTSIZE_ERROR) {
    if (announced > sink.left()) return beyond_cap();
    size = std::min<std::size_t>(announced, std::max(kPlausibleAlways, kPlausible * in.size()));
  }
  for (;; size *= 4) {
    size = std::min(std::max(size, kFirstRoom), sink.left());
    const MutableBytes room = sink.exactly(size);
    const std::size_t written =
        ZSTD_decompressDCtx(zstd_reader, room.data(), room.size(), in.data(), in.size());
    if (!ZSTD_isError(written)) {
      CHECK(sink.wrote(written));
      return {};
    }
    const ZSTD_ErrorCode code = ZSTD_getErrorCode(written);
    CHECK(code != ZSTD_error_memory_allocation);
    if (code == ZSTD_error_srcSize_wrong) return ends_early();
    if (code != ZSTD_error_dstSize_tooSmall) return not_of_codec();
    if (size == sink.left()) return beyond_cap();
  }
}

Result<void> Codecs::Contexts::decompress(Codec codec, Bytes in, Sink& sink) {
  if (!is_known(codec)) return fail(Errc::unsupported, "the compression codec is unknown");
  if (in.size() > kInputMax)
    return fail(Errc::too_large, "the compressed records are larger than a batch can be");
  if (codec == Codec::none) {
    if (in.size() > sink.left()) return beyond_cap();
    const MutableBytes room = sink.exactly(in.size());
    if (!in.empty()) std::memcpy(room.data(), in.data(), in.size());
    CHECK(sink.wrote(in.size()));
    return {};
  }
  if (in.empty()) return ends_early();
  switch (codec) {
    case Codec::gzip:
      return gzip_decompress(in, sink);
    case Codec::snappy:
      return snappy_decompress(in, sink);
    case Codec::lz4:
      return lz4_decompress(in, sink);
    default:
      return zstd_decompress(in, sink);
  }
}

void Codecs::Contexts::gzip_compress(std::optional<int> level, Bytes in, Buffer& out) {
  constexpr int kGzip = 15 + 16;
  constexpr int kMemory = 8;  // zlib's default
  const bool is_default = !level || *level == Z_DEFAULT_COMPRESSION;
  const int wanted =
      is_default ? Z_DEFAULT_COMPRESSION : std::clamp(*level, Z_BEST_SPEED, Z_BEST_COMPRESSION);
  if (deflating && deflate_level != wanted) {
    deflateEnd(&deflater);
    deflating = false;
  }
  if (!deflating)
    CHECK(deflateInit2(&deflater, wanted, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) == Z_OK);
  deflating = true;
  deflate_level = wanted;
  CHECK(deflateReset(&deflater) == Z_OK);
  out.resize(deflateBound(&deflater, in.size()));
  deflater.next_in = bytes_as<Bytef>(const_cast<std::byte*>(in.data()));
  deflater.avail_in = static_cast<uInt>(in.size());
  deflater.next_out = bytes_as<Bytef>(out.data());
  deflater.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&deflater, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - deflater.avail_out);
}

void Codecs::Contexts::lz4_compress(std::optional<int> level, Bytes in, Buffer& out) {
  // Kafka's levels are 1 to 17 with 9 standing for the fast compressor; the library's best is 12.
  constexpr int kFast = 9;
  constexpr int kBest = 12;
  if (lz4_writer == nullptr) CHECK(!LZ4F_isError(LZ4F_createCompressionContext(&lz4_writer, LZ4F_VERSION)));
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.compressionLevel = !level || *level == kFast ? 0 : std::clamp(*level, 1, kBest);
  preferences.autoFlush = 1;
  out.resize(LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(in.size(), &preferences));
  std::size_t used = LZ4F_compressBegin(lz4_writer, out.data(), out.size(), &preferences);
  CHECK(!LZ4F_isError(used));
  std::size_t step =
      LZ4F_compressUpdate(lz4_writer, out.data() + used, out.size() - used, in.data(), in.size(), nullptr);
  CHECK(!LZ4F_isError(step));
  used += step;
  step = LZ4F_compressEnd(lz4_writer, out.data() + used, out.size() - used, nullptr);
  CHECK(!LZ4F_isError(step));
  out.resize(used + step);
}

void Codecs::Contexts::zstd_compress(std::optional<int> level, Bytes in, Buffer& out) {
  constexpr int kUsual = 3;
  if (zstd_writer == nullptr) zstd_writer = ZSTD_createCCtx();
  CHECK(zstd_writer != nullptr);
  const int wanted = std::clamp(level.value_or(kUsual), ZSTD_minCLevel(), ZSTD_maxCLevel());
  out.resize(ZSTD_compressBound(in.size()));
  const std::size_t written =
      ZSTD_compressCCtx(zstd_writer, out.data(), out.size(), in.data(), in.size(), wanted);
  CHECK(!ZSTD_isError(written));
  out.resize(written);
}

Codecs::Codecs() : contexts_(std::make_unique<Contexts>()) {}
Codecs::~Codecs() = default;
Codecs::Codecs(Codecs&&) noexcept = default;
Codecs& Codecs::operator=(Codecs&&) noexcept = default;

Result<void> Codecs::decompress(Codec codec, Bytes in, std::size_t cap, Buffer& out) {
  Sink sink(out, cap);
  if (auto done = contexts_->decompress(codec, in, sink); !done) return done;
  out.resize(sink.used());
  return {};
}

Result<Bytes> Codecs::open(Codec codec, Bytes in, std::size_t cap) {
  Buffer& scratch = contexts_->scratch;
  if (scratch.size() > kScratchKept) Buffer().swap(scratch);
  if (codec == Codec::none) {
    if (in.size() > cap) return beyond_cap();
    return in;
  }
  Sink sink(scratch, cap);
  if (auto done = contexts_->decompress(codec, in, sink); !done)
    return std::unexpected(std::move(done.error()));
  return Bytes(scratch.data(), sink.used());
}

Result<void> Codecs::compress(Codec codec, std::optional<int> level, Bytes in, Buffer& out) {
  if (in.size() > kInputMax / 2) return fail(Errc::too_large, "the records are larger than a batch can be");
  switch (codec) {
    case Codec::none:
      out.assign(in.begin(), in.end());
      return {};
    case Codec::gzip:
      contexts_->gzip_compress(level, in, out);
      return {};
    case Codec::snappy:
      snappy_compress(in, out);
      return {};
    case Codec::lz4:
      contexts_->lz4_compress(level, in, out);
      return {};
    case Codec::zstd:
      contexts_->zstd_compress(level, in, out);
      return {};
  }
  return fail(Errc::unsupported, "the compression codec is unknown");
}

Result<void> decompress(Codec codec, Bytes in, std::size_t cap, Buffer& out) {
  return Codecs().decompress(codec, in, cap, out);
}

Result<void> compress(Codec codec, std::optional<int> level, Bytes in, Buffer& out) {
  return Codecs().compress(codec, level, in, out);
}

}  // namespace tailwater::records
