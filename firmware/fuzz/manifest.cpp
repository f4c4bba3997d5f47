// Hostile releases: whatever comes over the link, nothing is read outside of it, and the active model stays whole.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "board/fakes/fakes.h"
#include "release/updater.h"

namespace {

using salus::Bytes;
using salus::MutableBytes;
using salus::Span;

// Takes any model, and gives the input's first values back.
class AnyEngine final : public salus::Engine {
 public:
  salus::EngineStatus load(Bytes model, MutableBytes) override {
    return model.empty() ? salus::EngineStatus::kMalformed : salus::EngineStatus::kOk;
  }
  salus::EngineStatus run(Span<const std::int8_t> input, Span<std::int8_t> output) override {
    for (std::size_t at = 0; at < output.size(); ++at) output[at] = input.empty() ? 0 : input[at % input.size()];
    return salus::EngineStatus::kOk;
  }
  std::size_t arena_used_bytes() const override { return 1; }
  salus::TensorInfo input() const override { return {}; }
  salus::TensorInfo output() const override { return {}; }
};

// Without signatures, so that the fuzzer comes to what is behind them.
void walk(Bytes data) {
  salus::release::Offer offer;
  salus::release::read_offer(data, offer);
  if (offer.readable != salus::release::ReleaseStatus::kOk) return;
  if (salus::release::check_form(offer.manifest) != salus::release::ReleaseStatus::kOk) return;
  Bytes input;
  Bytes output;
  std::size_t goldens = 0;
  while (salus::release::golden(offer.manifest.model, goldens, input, output)) {
    // check_form has promised this to whoever copies goldens.
    if (input.size() != offer.manifest.model.input.values || output.size() != offer.manifest.model.output.values) {
      std::abort();
    }
    ++goldens;
  }
  if (goldens == 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes(data, size);
  walk(bytes);
  (void)salus::release::check_template(bytes, bytes);
  (void)salus::release::template_size_bytes(bytes);

  salus::fakes::FakePartition partition(128 * 1024);
  salus::fakes::FakeStore store;
  AnyEngine engine;
  static std::uint8_t arena[1024];
  static std::uint8_t scratch[64];
  salus::release::Updater updater({partition, store, engine, arena, scratch}, {});
  (void)updater.start();
  (void)updater.provision(bytes);  // as a ReleaseMessage
  const salus::release::Outcome outcome = updater.receive(bytes);
  if (outcome.progress == salus::release::Progress::kActive) std::abort();  // nobody signed it
  (void)updater.offer(bytes);
  if (updater.has_model()) std::abort();
  // What a transfer has left in flash must be read as carefully at the next start.
  if (size > 0) std::memcpy(partition.data().data(), data, std::min<std::size_t>(size, 16 * 1024));
  (void)updater.start();
  return 0;
}
