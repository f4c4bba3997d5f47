// Cutting the stream into windows, `hop` samples apart, the first from the stretch's first sample on.
#include "frontend/blocks.h"

namespace salus::frontend {
namespace {

class Windows final : public Stage {
 public:
  Windows(Span<float> ring, std::size_t channels, std::size_t hop, Taker& taker)
      : ring_(ring), channels_(channels), samples_(ring.size() / channels), hop_(hop), taker_(taker) {}

  void push(std::int64_t index, const double* sample) override {
    if (!begun_) {
      start_ = index;
      begun_ = true;
    }
    for (std::size_t i = 0; i < channels_; ++i) ring_[at_ * channels_ + i] = static_cast<float>(sample[i]);
    at_ = at_ + 1 == samples_ ? 0 : at_ + 1;
    if (index - start_ + 1 < static_cast<std::int64_t>(samples_)) return;
    // The ring is full, its oldest row where the next one goes.
    float* room = taker_.room();
    const std::size_t tail = (samples_ - at_) * channels_;
    for (std::size_t i = 0; i < tail; ++i) room[i] = ring_[at_ * channels_ + i];
    for (std::size_t i = tail; i < ring_.size(); ++i) room[i] = ring_[i - tail];
    taker_.take(start_, {});
    start_ += static_cast<std::int64_t>(hop_);
  }

  void renew() override {
    begun_ = false;
    at_ = 0;
  }

 private:
  Span<float> ring_;
  std::size_t channels_;
  std::size_t samples_;
  std::size_t hop_;
  Taker& taker_;
  std::int64_t start_ = 0;  // of the window that is next complete
  std::size_t at_ = 0;
  bool begun_ = false;
};

}  // namespace

Stage* make_windows(const Inlet& inlet, std::size_t samples, std::size_t hop, Taker& taker, Memory& memory) {
  const Span<float> ring = memory.array<float>(samples * inlet.channels);
  return memory.exhausted() ? nullptr : memory.make<Windows>(ring, inlet.channels, hop, taker);
}

}  // namespace salus::frontend
