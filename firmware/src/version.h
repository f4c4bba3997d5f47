// Of the firmware as a whole; a release has its own.
#pragma once

namespace salus {

inline constexpr char kFirmwareVersion[] = "0.1.0";

}  // namespace salus
