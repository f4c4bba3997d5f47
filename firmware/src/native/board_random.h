#pragma once

#include <sys/random.h>

#include "board/board.h"

namespace salus {

// The operating system's generator.
class HostRandom : public Random {
 public:
  [[nodiscard]] bool fill(MutableBytes out) override {
    for (std::size_t at = 0; at < out.size();) {
      const ssize_t size = getrandom(out.data() + at, out.size() - at, 0);
      if (size <= 0) return false;
      at += static_cast<std::size_t>(size);
    }
    return true;
  }
};

}  // namespace salus
