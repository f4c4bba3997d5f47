#pragma once

#include <string>

#include "board/board.h"

namespace salus {

// Why the program started, by a file that the last run left in the state folder. A killed process is a board that lost
// its power: it leaves nothing.
class HostReset : public Reset {
 public:
  explicit HostReset(const std::string& state_dir);  // once, at the start; writes down crashes from then on
  [[nodiscard]] ResetCause cause() const override { return cause_; }
  // The program must end, or start itself anew, as soon as `requested` says so.
  void restart() override;
  [[nodiscard]] bool requested() const { return requested_; }

 private:
  ResetCause cause_ = ResetCause::kPowerOn;
  bool requested_ = false;
};

}  // namespace salus
