// Arbitrary packets, plaintexts and flash: nothing is read or written out of bounds, nothing opens that was not sealed,
// and a ring finds its packets again whatever its flash holds. The first byte chooses which.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "board/fakes/fake_partition.h"
#include "link/messages.h"
#include "link/opener.h"
#include "link/ring.h"
#include "link/sealer.h"

namespace {

using namespace salus;

constexpr const char* kTopic = "salus/1/clinic/device/ack";
constexpr std::size_t kSector = 256;
constexpr std::size_t kSectors = 6;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

std::vector<std::uint8_t> key() { return std::vector<std::uint8_t>(kAesKeyBytes, 7); }

LinkStatus open(Bytes payload, std::vector<std::uint8_t>& out, Opened& opened) {
  const std::vector<std::uint8_t> secret = key();
  out.assign(payload.size(), 0);  // no larger than promised, so that ASan sees its end
  return open_packet(Bytes(secret.data(), secret.size()), kTopic, payload, MutableBytes(out.data(), out.size()),
                     opened);
}

void open_anything(Bytes payload) {
  std::vector<std::uint8_t> out;
  Opened opened{};
  // The key is public here, but the fuzzer finds no tag by chance.
  require(open(payload, out, opened) != LinkStatus::kOk, "opened what nobody sealed");
}

void seal_and_change(Bytes input) {
  if (input.size() < 2) return;
  const Bytes plaintext = input.from(2);
  const std::vector<std::uint8_t> secret = key();
  std::vector<std::uint8_t> out(plaintext.size() + kPacketOverheadBytes);
  Sealer sealer;
  Sealed sealed{};
  require(sealer.start(Bytes(secret.data(), secret.size()), 1U + input[0]) == LinkStatus::kOk, "no start");
  require(sealer.seal(kTopic, plaintext, MutableBytes(out.data(), out.size()), sealed) == LinkStatus::kOk, "no seal");
  std::vector<std::uint8_t> opening;
  Opened opened{};
  require(open(sealed.payload, opening, opened) == LinkStatus::kOk, "does not open");
  require(opened.boot == sealed.boot && opened.sequence == sealed.sequence, "other counters");
  require(opened.plaintext.size() == plaintext.size() &&
              std::equal(plaintext.begin(), plaintext.end(), opened.plaintext.begin()),
          "another plaintext");
  out[input[1] % sealed.payload.size()] ^= static_cast<std::uint8_t>(1U << (input[0] % 8));
  require(open(sealed.payload, opening, opened) != LinkStatus::kOk, "opened what was changed");
}

class Touching final : public AckReader {
 public:
  void has(const AckRange&) override { ++parts; }
  void refuses(const AckRefusal& refusal) override {
    require(std::strlen(refusal.code) < sizeof(refusal.code), "a code without end");
    ++parts;
  }
  std::size_t parts = 0;
};

void read_plaintext(Bytes input) {
  CommandMessage command{};
  if (decode_command(input, command) == LinkStatus::kOk && command.kind == CommandKind::kCalibrate) {
    require(command.until_ms == 0 || command.consent.size() == kConsentBytes, "no consent");
    for (const Bytes view : {command.consent, command.base_sha256}) {
      require(view.empty() || (view.data() >= input.data() && view.end() <= input.end()), "points elsewhere");
    }
  }
  Touching reader;
  if (decode_ack(input, reader) != LinkStatus::kOk) require(reader.parts == 0, "half an ack");
}

// All packets of a ring, by its own iteration; damaged ones leave.
std::size_t walk(Ring& ring) {
  std::vector<std::uint8_t> out(kSectors * kSector);
  std::size_t good = 0;
  RingPacket packet;
  for (bool more = ring.first(packet); more; more = ring.after(packet.at, packet)) {
    good += ring.read(packet, MutableBytes(out.data(), out.size())) == LinkStatus::kOk ? 1 : 0;
  }
  require(good == ring.packets(), "another number of packets");
  return good;
}

std::uint32_t little_endian(Bytes bytes) {
  std::uint32_t value = 0;
  for (std::size_t at = bytes.size(); at-- > 0;) value = value << 8 | bytes[at];
  return value;
}

// Flash that held anything: the input, again and again until the partition is full.
void mount_anything(Bytes input) {
  if (input.empty()) return;
  fakes::FakePartition flash(kSectors * kSector, kSector);
  for (std::size_t at = 0; at < flash.data().size(); ++at) flash.data()[at] = input[at % input.size()];
  Ring ring;
  require(ring.mount(flash) == LinkStatus::kOk, "no mount");
  (void)walk(ring);
  const std::uint8_t payload[50] = {1, 2, 3};
  const Sealed newest{UINT32_MAX, UINT64_MAX, Bytes(payload)};
  const LinkStatus status = ring.append(Kind::kEvent, newest);
  require(status == LinkStatus::kOk || status == LinkStatus::kMalformed, "no append");
  const std::size_t packets = walk(ring);
  require(status != LinkStatus::kOk || packets != 0, "what was just kept is not there");
}

// A ring's life, 4 bytes a step: append, acknowledge, start again, cut the power, damage a byte of flash.
void live(Bytes input) {
  fakes::FakePower power;
  fakes::FakePartition flash(kSectors * kSector, kSector, &power);
  flash.tear(fakes::Tear::kScattered);
  Ring ring;
  require(ring.mount(flash) == LinkStatus::kOk, "no mount");
  std::vector<std::uint8_t> payload(kSectors * kSector);
  std::uint64_t sequence = 0;
  for (; input.size() >= 4; input = input.from(4)) {
    const std::uint32_t number = little_endian(input.part(1, 3));
    switch (input[0] % 8) {
      case 0:
        power.cut_after(number % 2000);
        break;
      case 1:
        power.restore();
        require(ring.mount(flash) == LinkStatus::kOk, "no mount");
        break;
      case 2:
        flash.data()[number % flash.data().size()] ^= static_cast<std::uint8_t>(1U << (input[0] >> 5));
        break;
      case 3:
      case 4:
        (void)ring.acknowledge(AckRange{1, number & 0xFFF, number >> 12});
        break;
      default:
        (void)ring.append(Kind::kFeature, {1, ++sequence, Bytes(payload.data(), number % payload.size())});
    }
    require(ring.free_bytes() <= flash.data().size(), "more room than flash");
  }
  power.restore();
  require(ring.mount(flash) == LinkStatus::kOk, "no mount at the end");
  (void)walk(ring);
  payload.resize(1);
  require(ring.append(Kind::kFeature, {2, 1, Bytes(payload.data(), 1)}) == LinkStatus::kOk, "no append at the end");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 4096) return 0;
  const Bytes input(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      open_anything(input);
      break;
    case 1:
      seal_and_change(input);
      break;
    case 2:
      read_plaintext(input);
      break;
    case 3:
      mount_anything(input);
      break;
    default:
      live(input);
  }
  return 0;
}
