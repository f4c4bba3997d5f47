// Why a release is refused: the codes of `edge/salus_edge/release.py`, and what only a wearable can see.
#pragma once

#include <cstdint>

namespace salus::release {

enum class ReleaseStatus : std::uint8_t {
  kOk,
  kBadSignature,
  kMalformed,
  kWrongChain,
  kWrongTask,
  kOlderVersion,
  kWrongSize,
  kWrongFrontend,
  kArenaTooLarge,
  kWrongHash,
  kBadModel,
  kGoldenDiffers,
  kOtherBase,      // personal: made for another base than the active one
  kOtherTemplate,  // personal: more than the template's regions differs, or the base allows none
  kRolledBack,     // it was active and failed at the start: the slot before it is active again
  kNoModel,        // nothing was ever provisioned, or no slot holds a whole model any more
  kFlashFailed,    // the partition or the store does not keep what is written
};

// "" for kOk.
[[nodiscard]] const char* code_of(ReleaseStatus status);

}  // namespace salus::release
