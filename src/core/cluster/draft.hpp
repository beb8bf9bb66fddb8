// The metadata as it will be once everything that was decided is stored: the newest stored image with the
// records of later decisions applied. Decisions (decide.hpp) look at it and propose records; the controller
// takes the frames of those records to the store, or goes back to the stored image if that fails.
#pragma once

#include <vector>

#include "base/prng.hpp"
#include "core/cluster/config.hpp"
#include "core/cluster/image.hpp"
#include "core/cluster/records.hpp"

namespace tailwater::cluster {

class Draft {
 public:
  Draft(BrokerId self, BrokerConfig from_file, ImageHandle image, std::uint64_t seed);

  const MetadataImage& image() const { return *image_; }
  const ImageHandle& image_handle() const { return image_; }
  // This broker's configuration with the image's dynamic values.
  const BrokerConfig& config() const { return config_; }
  const BrokerConfig& from_file() const { return from_file_; }
  BrokerId self() const { return self_; }
  Prng& random() { return random_; }

  // Applies records that a decision made. REQUIRES: they fit the image.
  void propose(const std::vector<Record>& records);

  bool has_frames() const { return !frames_.empty(); }
  std::vector<Buffer> take_frames() { return std::exchange(frames_, {}); }
  // The image under the version that it will have, and by whom it was written.
  ImageHandle seal(MetadataVersion version, const BatchAuthor& author);
  // Another static configuration from now on; what was proposed stays.
  void reload(BrokerConfig from_file);
  // Forgets what was proposed.
  void reset(ImageHandle image);

 private:
  BrokerId self_;
  BrokerConfig from_file_;
  BrokerConfig config_;
  ImageHandle image_;
  Prng random_;
  std::vector<Buffer> frames_;
};

}  // namespace tailwater::cluster
