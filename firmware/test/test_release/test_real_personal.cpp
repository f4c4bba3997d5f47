// Personal models as a gateway makes them, in the engine that runs them: TFLM is not needed to agree with TFLM.
#include "engine/portable/portable_engine.h"
#include "rig.h"

namespace salus::release {
namespace {

struct Real {
  std::string name;
  Buffer base_template;
  Buffer manifest;
  Buffer model;
};

std::vector<Real> read_reals() {
  std::vector<Real> found;
  for (const Row& row : golden_rows("release/personal.txt", {"personal"})) {
    found.push_back({row[1], golden_bytes(row[2]), golden_bytes(row[3]), golden_bytes(row[4])});
  }
  return found;
}

class RealPersonal : public testing::TestWithParam<Real> {
 protected:
  ReleaseStatus check(const Buffer& manifest, const Buffer& model) {
    Manifest read;
    const ReleaseStatus form = read_manifest(view(manifest), read);
    if (form != ReleaseStatus::kOk) return form;
    if (check_form(read) != ReleaseStatus::kOk) return ReleaseStatus::kMalformed;
    Bench bench{engine, view(arena), view(scratch)};
    return check_model(read, view(GetParam().base_template), view(model), bench);
  }

  PortableEngine engine;
  Buffer arena = Buffer(4096);
  Buffer scratch = Buffer(64);
};

TEST_P(RealPersonal, GivesItsGoldenLogits) {
  EXPECT_EQ(check(GetParam().manifest, GetParam().model), ReleaseStatus::kOk);
}

TEST_P(RealPersonal, AnotherBiasGivesOthers) {
  Buffer model = GetParam().model;
  Buffer manifest = GetParam().manifest;
  Manifest read;
  ASSERT_EQ(read_manifest(view(manifest), read), ReleaseStatus::kOk);
  // The head's first bias lies at offset 80; then the manifest is made to name that model.
  model[82] = static_cast<std::uint8_t>(model[82] ^ 0x7F);
  const Digest before = read.model.sha256;
  const Digest after = sha256(view(model));
  const auto at = std::search(manifest.begin(), manifest.end(), before.begin(), before.end());
  ASSERT_NE(at, manifest.end());
  std::copy(after.begin(), after.end(), at);
  EXPECT_EQ(check(manifest, model), ReleaseStatus::kGoldenDiffers);
}

TEST_P(RealPersonal, ATooSmallArenaIsABadModel) {
  arena.resize(8);
  EXPECT_EQ(check(GetParam().manifest, GetParam().model), ReleaseStatus::kBadModel);
}

TEST_P(RealPersonal, AFeatureLongerThanTheRoomIsABadModel) {
  scratch.resize(2);
  EXPECT_EQ(check(GetParam().manifest, GetParam().model), ReleaseStatus::kBadModel);
}

INSTANTIATE_TEST_SUITE_P(Tasks, RealPersonal, testing::ValuesIn(read_reals()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace salus::release
