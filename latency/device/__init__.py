"""What runs on the device: numpy and onnxruntime alone, Python 3.9 or newer."""
