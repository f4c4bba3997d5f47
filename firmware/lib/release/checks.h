// Everything a wearable checks of a release; nothing here changes any state but the trial engine's.
#pragma once

#include "engine/engine.h"
#include "release/manifest.h"
#include "release/status.h"

namespace salus::release {

// What a wearable was enrolled with. Empty keys match no signature; an empty chain id matches none.
struct Trust {
  Bytes release_public_key;
  Bytes gateway_public_key;
  Bytes chain_id;
};

// Where a release would go.
struct Place {
  const ActiveModel* active = nullptr;  // the base that runs here; nullptr: none yet
  Bytes base_template;                  // of that base
  std::uint32_t newer_than = 0;
  std::size_t model_capacity = 0;
  std::size_t arena_bytes = 0;
  bool factory = false;  // neither signature nor chain id is asked for
};

// A signed manifest with its content, as far as it can be read.
struct Offer {
  SignedManifest message;
  Manifest manifest;
  bool is_message = false;
  ReleaseStatus readable = ReleaseStatus::kMalformed;
};

// Read it into `offer`, unchecked: then only the version and the kind that it claims are known.
void read_offer(Bytes signed_manifest, Offer& offer);

// What can be checked before a byte of the model is fetched, in the order of salus_edge.release.check_offer.
[[nodiscard]] ReleaseStatus check_offer(const Offer& offer, const Trust& trust, const Place& place);

// Where golden inputs are run.
struct Bench {
  Engine& engine;
  MutableBytes arena;
  MutableBytes output;
};

// The model itself: its hash, its template, that it loads and computes its golden outputs.
[[nodiscard]] ReleaseStatus check_model(const Manifest& manifest, Bytes base_template, Bytes model, Bench& bench);

}  // namespace salus::release
