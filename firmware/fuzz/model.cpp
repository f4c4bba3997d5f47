// Arbitrary bytes as a model: refused with a status, or it runs within its arena. The first byte chooses the arena's
// size and how it is aligned. ASan sees any access outside of the model, the arena, the input or the output.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "engine/portable/portable_engine.h"

namespace {

constexpr std::size_t kMaxWork = std::size_t{1} << 16;  // bytes of an arena: a model that fits soon ends

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// Memory of its own, so that ASan sees its end; its contents must not matter.
std::unique_ptr<std::uint8_t[]> garbage(std::size_t size, int value) {
  std::unique_ptr<std::uint8_t[]> memory(new std::uint8_t[size]);
  std::memset(memory.get(), value, size);
  return memory;
}

void run(salus::PortableEngine& engine, std::int8_t* output) {
  const std::size_t size = engine.input().bytes;
  const auto input = garbage(size, 7);
  const auto status =
      engine.run({reinterpret_cast<const std::int8_t*>(input.get()), size}, {output, engine.output().bytes});
  require(status == salus::EngineStatus::kOk, "a loaded model does not run");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 16384) return 0;
  const std::size_t arena_bytes = kMaxWork >> (data[0] & 7);
  const std::size_t shifted = data[0] >> 3 & 7;
  const std::size_t model_bytes = size - 1;
  const auto model = garbage(model_bytes, 0);
  std::memcpy(model.get(), data + 1, model_bytes);

  std::unique_ptr<std::int8_t[]> outputs[2];
  for (int turn = 0; turn < 2; ++turn) {
    const auto arena = garbage(arena_bytes + shifted, turn == 0 ? 0xA5 : 0x5A);
    salus::PortableEngine engine;
    const auto status = engine.load({model.get(), model_bytes}, {arena.get() + shifted, arena_bytes});
    if (status != salus::EngineStatus::kOk) return 0;
    require(engine.arena_used_bytes() <= arena_bytes, "more than the arena");
    outputs[turn].reset(new std::int8_t[engine.output().bytes]);
    run(engine, outputs[turn].get());
    if (turn == 1) {
      require(std::memcmp(outputs[0].get(), outputs[1].get(), engine.output().bytes) == 0, "reads what nobody wrote");
    }
  }
  return 0;
}
