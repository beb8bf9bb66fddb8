// The metadata with decisions that are not yet stored.
#include "core/cluster/draft.hpp"

#include <utility>

#include "base/check.hpp"
#include "core/cluster/image_editor.hpp"

namespace tailwater::cluster {

Draft::Draft(BrokerId self, BrokerConfig from_file, ImageHandle image, std::uint64_t seed)
    : self_(self), from_file_(std::move(from_file)), random_(seed) {
  reset(std::move(image));
}

void Draft::propose(const std::vector<Record>& records) {
  if (records.empty()) return;
  ImageEditor editor(*image_);
  bool broker_configuration = false;
  for (const Record& record : records) {
    CHECK(editor.apply(record).has_value());
    frames_.push_back(encode_record(record));
    const auto* config = std::get_if<wire::ConfigRecord>(&record);
    broker_configuration |=
        config != nullptr && config->resource_type == static_cast<std::int8_t>(ResourceType::broker);
  }
  image_ = editor.finish(image_->version, {image_->controller, image_->controller_epoch, 0});
  if (broker_configuration) config_ = effective_broker_config(from_file_, *image_, self_);
}

ImageHandle Draft::seal(MetadataVersion version, const BatchAuthor& author) {
  image_ = ImageEditor(*image_).finish(version, author);
  return image_;
}

void Draft::reload(BrokerConfig from_file) {
  from_file_ = std::move(from_file);
  config_ = effective_broker_config(from_file_, *image_, self_);
}

void Draft::reset(ImageHandle image) {
  image_ = std::move(image);
  frames_.clear();
  config_ = effective_broker_config(from_file_, *image_, self_);
}

}  // namespace tailwater::cluster
