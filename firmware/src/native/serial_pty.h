// The native board's UART0: a pseudo terminal, at a path that stays the same.
#pragma once

#include <string>

#include "base/span.h"
#include "board/board.h"
#include "console/frame_writer.h"

namespace salus::native {

class SerialPty final : public console::Writer {
 public:
  explicit SerialPty(Clock& clock) : clock_(clock) {}
  ~SerialPty() override;
  SerialPty(const SerialPty&) = delete;
  SerialPty& operator=(const SerialPty&) = delete;

  // Make the terminal and a symbolic link to it; false with errno when that cannot be.
  [[nodiscard]] bool open(const std::string& link);
  // Take over a terminal whose two ends an earlier program of this process left open: the line outlives a reset.
  void adopt(int device_side, int host_side, const std::string& link);
  // Leave both ends open for the program that follows, and the link in place.
  void leave(int& device_side, int& host_side);

  // What came, at once; the number of bytes.
  [[nodiscard]] std::size_t read(MutableBytes out);
  // Waits for room as long as somebody reads; when nobody did for a while, what does not fit is lost at once.
  [[nodiscard]] bool write(Bytes data) override;

  [[nodiscard]] int device_side() const { return device_side_; }

 private:
  void close();
  [[nodiscard]] bool wait_for_room();

  Clock& clock_;
  std::string link_;
  int device_side_ = -1;
  int host_side_ = -1;  // held open: otherwise each host that leaves would hang the line up
  bool read_by_somebody_ = true;
};

}  // namespace salus::native
