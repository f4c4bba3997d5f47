// A front end put together: the stream's stages, the cutter, the blocks on windows, and the clock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "frontend/declaration.h"
#include "frontend/front_end.h"
#include "frontend/memory.h"
#include "frontend/orient.h"
#include "frontend/stage.h"

namespace salus::frontend {

class Pipeline final : public Taker {
 public:
  // Build all of the declaration.
  [[nodiscard]] FrontEndStatus build(const Declaration& declaration, std::size_t raw_channels, const Wrist& wrist,
                                     Memory& memory);

  [[nodiscard]] FrontEndStatus push(Span<const float> samples, double t0_ms, WindowSink& sink);
  void end_stretch();
  void don();

  [[nodiscard]] Orient* orient() const { return orient_; }
  [[nodiscard]] const Inlet& outlet() const { return inlet_; }
  [[nodiscard]] std::size_t aux_values() const { return aux_values_; }
  [[nodiscard]] std::size_t raw_channels() const { return raw_channels_; }
  [[nodiscard]] double raw_rate_hz() const { return raw_rate_hz_; }
  [[nodiscard]] std::uint32_t duration_ms() const;

  [[nodiscard]] float* room() override { return work_[0].data(); }
  void take(std::int64_t index, Span<const std::int16_t> aux) override;

 private:
  struct OnWindow {
    WindowBlock* block = nullptr;
    std::size_t values_out = 0;
  };

  [[nodiscard]] bool add(const BlockDeclaration& block, const Declaration& declaration, Memory& memory);
  [[nodiscard]] bool add_row(RowBlock* block, const Outlet& outlet, Memory& memory);
  [[nodiscard]] bool add_stage(Stage* stage, const Outlet& outlet);
  [[nodiscard]] bool add_on_window(WindowBlock* block, const Outlet& outlet);
  [[nodiscard]] bool cut_by_hop(const Declaration& declaration, Memory& memory);
  [[nodiscard]] bool begin_windows(Stage* cutter, const Outlet& outlet, const Declaration& declaration);
  [[nodiscard]] bool finish(const Declaration& declaration, Memory& memory);
  [[nodiscard]] Outlet same() const;
  void keep_time(double t0_ms);

  Inlet inlet_;  // of the next block; at the end, what comes out
  Stage* first_ = nullptr;
  Stage* last_ = nullptr;
  Orient* orient_ = nullptr;
  OnWindow on_window_[kMaxBlocks];
  std::size_t on_window_count_ = 0;
  bool cut_ = false;
  std::size_t largest_ = 0;  // values of a window, at any place
  std::size_t window_samples_ = 0;
  std::size_t aux_values_ = 0;
  std::size_t raw_channels_ = 0;
  double raw_rate_hz_ = 0.0;
  Span<float> work_[2];

  WindowSink* sink_ = nullptr;
  bool begun_ = false;  // a stretch
  double began_ms_ = 0.0;
  double next_ms_ = 0.0;
  std::int64_t count_ = 0;  // samples since the stretch began
};

}  // namespace salus::frontend
