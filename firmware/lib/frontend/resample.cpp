// `resample`: to up/down of the rate, on the straight line between two samples. The positions are whole numbers, so
// nothing drifts; a `filter` before it takes away what the new rate cannot hold.
#include <numeric>

#include "frontend/blocks.h"

namespace salus::frontend {
namespace {

constexpr std::size_t kMost = 1000;

class Resample final : public Stage {
 public:
  Resample(std::int64_t up, std::int64_t down, Span<double> last) : up_(up), down_(down), last_(last) {}

  // Output m lies at input m * down / up: due are those after the last input, up to this one.
  void push(std::int64_t index, const double* sample) override {
    if (!begun_) due_ = (index * up_ + down_ - 1) / down_;
    for (; due_ * down_ <= index * up_; ++due_) {
      const std::int64_t rest = (due_ * down_) % up_;
      if (rest == 0) {
        next_->push(due_, sample);
        continue;
      }
      const double part = static_cast<double>(rest) / static_cast<double>(up_);
      double out[FrontEnd::kMaxChannels];
      for (std::size_t i = 0; i < last_.size(); ++i) out[i] = last_[i] + (sample[i] - last_[i]) * part;
      next_->push(due_, out);
    }
    for (std::size_t i = 0; i < last_.size(); ++i) last_[i] = sample[i];
    begun_ = true;
  }

  void renew() override { begun_ = false; }

 private:
  std::int64_t up_;
  std::int64_t down_;
  Span<double> last_;
  std::int64_t due_ = 0;
  bool begun_ = false;
};

}  // namespace

Stage* make_resample(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet) {
  static const char* const kNames[] = {"up", "down"};
  std::size_t up = 0;
  std::size_t down = 0;
  if (!parameters.are(kNames) || !parameters.whole("up", 1, kMost, up)) return nullptr;
  if (!parameters.whole("down", 1, kMost, down) || std::gcd(up, down) != 1) return nullptr;
  const Span<double> last = memory.array<double>(inlet.channels);
  outlet.rate_hz = inlet.rate_hz * static_cast<double>(up) / static_cast<double>(down);
  if (memory.exhausted() || !is_rate(outlet.rate_hz)) return nullptr;
  return memory.make<Resample>(static_cast<std::int64_t>(up), static_cast<std::int64_t>(down), last);
}

}  // namespace salus::frontend
