"""A wearable in Python behind a serial console: what the rig, its driver and the suite are tested against.

It is the virtual wearable's code with the firmware's console, as a program with the native one's options. It needs the
task beforehand; everything else comes by the console.
"""
