"""`salus wearable replay`: people's recordings through the firmware itself, as a process of this machine each."""
