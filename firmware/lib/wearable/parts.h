// What a wearable is put together from: the board, the engines and all memory it will ever use. `src/<board>` gives it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "board/board.h"
#include "engine/engine.h"

namespace salus::wearable {

// Of any model's output: a feature, or logits.
inline constexpr std::size_t kMaxOutputBytes = 1024;

// Of the board's memory; 0 where it cannot be told.
class Vitals {
 public:
  virtual ~Vitals() = default;
  [[nodiscard]] virtual std::uint32_t free_heap_bytes() const = 0;
  [[nodiscard]] virtual std::uint32_t heap_low_water_bytes() const = 0;
  [[nodiscard]] virtual std::uint32_t stack_low_water_bytes() const = 0;
};

struct Parts {
  const char* firmware_version;
  const char* board_name;
  Clock& clock;
  Reset& reset;
  Store& store;
  Partition& ring;
  Partition& slots;
  Network& network;
  Vitals& vitals;
  Sensor* sensor;  // nullptr where samples are only injected
  Engine& base_engine;
  Engine& personal_engine;
};

struct Memory {
  MutableBytes front_end;       // its state, and one window
  MutableBytes base_arena;      // also for the golden inputs of what is received
  MutableBytes personal_arena;  // may be empty: then no personal model runs
  MutableBytes input;           // int8, one window
  MutableBytes features;        // the features of a packet that grows
  MutableBytes windows;         // float, the windows of a packet in calibration; may be empty: then none leaves
  MutableBytes packet;          // one packet on its way into the ring or out of it
  MutableBytes inbox;           // one packet that came
};

}  // namespace salus::wearable
