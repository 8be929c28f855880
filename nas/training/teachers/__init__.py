"""Teachers: trained networks, in a file of ONNX or Keras, whose scores a training learns from."""
