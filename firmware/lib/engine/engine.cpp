#include "engine/engine.h"

namespace salus {

const char* code_of(EngineStatus status) {
  switch (status) {
    case EngineStatus::kOk:
      return "ok";
    case EngineStatus::kMalformed:
      return "model_malformed";
    case EngineStatus::kUnsupported:
      return "model_unsupported";
    case EngineStatus::kArenaTooSmall:
      return "arena_too_small";
    case EngineStatus::kWrongSize:
      return "wrong_size";
    case EngineStatus::kNotLoaded:
      return "not_loaded";
  }
  return "unknown";
}

}  // namespace salus
