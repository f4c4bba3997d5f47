// `wrist`: on the other arm than the model was trained for, some channels change sign.
#include <cmath>
#include <cstring>

#include "frontend/blocks.h"

namespace salus::frontend {
namespace {

class WristBlock final : public RowBlock {
 public:
  WristBlock(Span<const double> mirror, Wrist worn, const Wrist& now) : mirror_(mirror), worn_(worn), now_(now) {}
  void step(const double* in, double* out) override {
    const bool other = now_ != Wrist::kAsTrained && now_ != worn_;
    for (std::size_t i = 0; i < mirror_.size(); ++i) out[i] = other ? in[i] * mirror_[i] : in[i];
  }

 private:
  Span<const double> mirror_;
  Wrist worn_;
  const Wrist& now_;  // set at enrolment, which may come after the release
};

}  // namespace

RowBlock* make_wrist(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet&) {
  static const char* const kNames[] = {"mirror", "worn"};
  const Span<double> mirror = memory.array<double>(inlet.channels);
  char worn[8] = {};
  if (memory.exhausted() || !parameters.are(kNames)) return nullptr;
  if (!parameters.numbers("mirror", mirror) || !parameters.text("worn", worn, sizeof(worn))) return nullptr;
  for (const double sign : mirror) {
    if (std::fabs(sign) != 1.0) return nullptr;
  }
  const bool left = std::strcmp(worn, "left") == 0;
  if (!left && std::strcmp(worn, "right") != 0) return nullptr;
  return memory.make<WristBlock>(mirror, left ? Wrist::kLeft : Wrist::kRight, *inlet.wrist);
}

}  // namespace salus::frontend
