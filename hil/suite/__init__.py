"""What a wearable must do, whatever it is: a process, an emulated microcontroller, or a board on a bench."""
