#include "frontend/template.h"

#include <algorithm>

namespace salus::frontend {
namespace {

constexpr float kShare = 0.35F;  // of the template's height is the unit of a window
constexpr float kLeast = 1e-6F;  // height of a template that is flat
constexpr std::size_t kSlowest = 256;
constexpr std::size_t kCounted = 64;

}  // namespace

void Template::step(const History& samples, std::int64_t first, float* window) {
  if (count_ == 0) {
    for (std::size_t i = 0; i < values_.size(); ++i) values_[i] = samples[first + static_cast<std::int64_t>(i)];
  }
  const auto bounds = std::minmax_element(values_.begin(), values_.end());
  const float height = std::max(*bounds.second - *bounds.first, kLeast);
  const float unit = kShare * height;
  const float most = height / static_cast<float>(std::min(kSlowest, 4 * std::max<std::size_t>(count_, 1)));
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const float beat = samples[first + static_cast<std::int64_t>(i)];
    const float difference = beat - values_[i];
    window[2 * i] = beat / unit;
    window[2 * i + 1] = difference / unit;
    values_[i] = values_[i] + std::min(std::max(difference, -most), most);
  }
  count_ = std::min(count_ + 1, kCounted);
}

}  // namespace salus::frontend
