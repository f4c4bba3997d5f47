#include "link/status.h"

namespace salus {

const char* code_of(LinkStatus status) {
  switch (status) {
    case LinkStatus::kOk:
      return "ok";
    case LinkStatus::kTooLarge:
      return "too_large";
    case LinkStatus::kTruncated:
      return "truncated";
    case LinkStatus::kMalformed:
      return "malformed";
    case LinkStatus::kWrongVersion:
      return "wrong_version";
    case LinkStatus::kWrongKey:
      return "wrong_key";
    case LinkStatus::kReplayed:
      return "replayed";
    case LinkStatus::kNotEnrolled:
      return "not_enrolled";
    case LinkStatus::kUsedUp:
      return "used_up";
    case LinkStatus::kGone:
      return "gone";
    case LinkStatus::kStoreFailed:
      return "store_failed";
    case LinkStatus::kFlashFailed:
      return "flash_failed";
    case LinkStatus::kCryptoFailed:
      return "crypto_failed";
  }
  return "unknown";
}

}  // namespace salus
