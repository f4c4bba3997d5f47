#pragma once

#include "board/board.h"

namespace salus {

class SystemReset : public Reset {
 public:
  SystemReset();  // once, at the start
  [[nodiscard]] ResetCause cause() const override { return cause_; }
  void restart() override;

 private:
  ResetCause cause_;
};

}  // namespace salus
