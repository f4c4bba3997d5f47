// Which front end blocks there are: a maker for each, one file each, named as in edge/salus_edge/frontend.
// A maker is nullptr where a parameter cannot be, or the memory is used up; `outlet` comes as the inlet.
#pragma once

#include <cstddef>

#include "frontend/declaration.h"
#include "frontend/memory.h"
#include "frontend/stage.h"

namespace salus::frontend {

class Orient;

RowBlock* make_filter(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet);
RowBlock* make_magnitude(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet);
RowBlock* make_scale(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet);
RowBlock* make_wrist(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet);
Stage* make_resample(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet);
Orient* make_orient(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet);
WindowBlock* make_cancel(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet);
WindowBlock* make_spectrum(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet);

// What cuts windows of `samples`.
Stage* make_beats(const Parameters& parameters, const Inlet& inlet, std::size_t samples, Taker& taker, Memory& memory,
                  Outlet& outlet);
Stage* make_windows(const Inlet& inlet, std::size_t samples, std::size_t hop, Taker& taker, Memory& memory);

}  // namespace salus::frontend
