#include "release/status.h"

namespace salus::release {

const char* code_of(ReleaseStatus status) {
  switch (status) {
    case ReleaseStatus::kOk:
      return "";
    case ReleaseStatus::kBadSignature:
      return "bad_signature";
    case ReleaseStatus::kMalformed:
      return "malformed";
    case ReleaseStatus::kWrongChain:
      return "wrong_chain";
    case ReleaseStatus::kWrongTask:
      return "wrong_task";
    case ReleaseStatus::kOlderVersion:
      return "older_version";
    case ReleaseStatus::kWrongSize:
      return "wrong_size";
    case ReleaseStatus::kWrongFrontend:
      return "wrong_frontend";
    case ReleaseStatus::kArenaTooLarge:
      return "arena_too_large";
    case ReleaseStatus::kWrongHash:
      return "wrong_hash";
    case ReleaseStatus::kBadModel:
      return "bad_model";
    case ReleaseStatus::kGoldenDiffers:
      return "golden_differs";
    case ReleaseStatus::kOtherBase:
      return "other_base";
    case ReleaseStatus::kOtherTemplate:
      return "other_template";
    case ReleaseStatus::kRolledBack:
      return "rolled_back";
    case ReleaseStatus::kNoModel:
      return "no_model";
    case ReleaseStatus::kFlashFailed:
      return "flash_failed";
  }
  return "flash_failed";
}

}  // namespace salus::release
