// UART0: received by interrupt into a ring, sent by waiting for room.
#pragma once

#include "base/span.h"

namespace salus {

class Uart {
 public:
  Uart();
  // What has come, up to `out.size()` bytes; returns at once.
  [[nodiscard]] std::size_t read(MutableBytes out);
  // All of it, however long the other side takes.
  void write(Bytes data);
  // Sleep until a byte has come or at most 10 ms.
  void wait();
};

}  // namespace salus
