// The host's board is wiring in src/native, which tests do not build; these are the parts with something to get wrong.
#include "../../src/native/board_partition.cpp"
#include "../../src/native/board_store.cpp"
