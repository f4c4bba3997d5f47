// `orient`: after donning, gravity of the first stance is turned to a fixed axis, by the smallest rotation.
#pragma once

#include "frontend/stage.h"

namespace salus::frontend {

struct Vector {
  double x = 0.0, y = 0.0, z = 0.0;
};

struct Rotation {
  double rows[3][3] = {};
};

// The smallest rotation of g to u, both of length 1.
[[nodiscard]] Rotation smallest_rotation(const Vector& g, const Vector& u);

struct OrientSettings {
  std::uint8_t triads[FrontEnd::kMaxChannels / 3 + 1][3] = {};  // the first is the accelerometer
  std::size_t triad_count = 0;
  std::size_t channels = 0;
  Vector axis;
  std::size_t samples = 0;
  double still = 0.0;
};

// Nothing comes out before the stance. The orientation outlives gaps, and restarts by `keep` and `restore`.
class Orient final : public Stage {
 public:
  explicit Orient(const OrientSettings& settings) : settings_(settings) {}

  void push(std::int64_t index, const double* sample) override;
  void renew() override { count_ = 0; }
  void don() override {
    known_ = false;
    count_ = 0;
  }

  [[nodiscard]] const Rotation* rotation() const { return known_ ? &rotation_ : nullptr; }
  void set_rotation(const Rotation& rotation) {
    rotation_ = rotation;
    known_ = true;
  }

 private:
  void seek(const Vector& acceleration);

  OrientSettings settings_;
  Rotation rotation_;
  Vector total_;
  Vector low_;
  Vector high_;
  std::size_t count_ = 0;  // of still samples in a row
  bool known_ = false;
};

}  // namespace salus::frontend
