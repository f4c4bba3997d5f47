"""The virtual wearable: the device's whole behaviour in Python, with the genuine TFLM interpreter."""
