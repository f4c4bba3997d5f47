// The portable engine for ctypes: one engine for each handle, its arena filled
// with garbage before it loads.
#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/portable/portable_engine.h"

namespace {

struct Handle {
  salus::PortableEngine engine;
  std::vector<std::uint8_t> model;
  std::vector<std::uint8_t> arena;
};

} // namespace

extern "C" {

Handle *engine_new(const std::uint8_t *model, std::size_t model_bytes,
                   std::size_t arena_bytes, int *status) {
  auto *handle = new Handle;
  handle->model.assign(model, model + model_bytes);
  handle->arena.assign(arena_bytes, 0xA5);
  *status = static_cast<int>(
      handle->engine.load({handle->model.data(), model_bytes},
                          {handle->arena.data(), handle->arena.size()}));
  return handle;
}

std::size_t engine_arena_used(const Handle *handle) {
  return handle->engine.arena_used_bytes();
}

// `count` inputs behind each other; the status of the first that fails.
int engine_run(Handle *handle, const std::int8_t *inputs,
               std::size_t input_bytes, std::int8_t *outputs,
               std::size_t output_bytes, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto status =
        handle->engine.run({inputs + i * input_bytes, input_bytes},
                           {outputs + i * output_bytes, output_bytes});
    if (status != salus::EngineStatus::kOk)
      return static_cast<int>(status);
  }
  return 0;
}

std::size_t engine_input_bytes(const Handle *handle) {
  return handle->engine.input().bytes;
}

std::size_t engine_output_bytes(const Handle *handle) {
  return handle->engine.output().bytes;
}

void engine_delete(Handle *handle) { delete handle; }
}
