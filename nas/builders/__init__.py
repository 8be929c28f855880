"""Architectures and operations made into Keras and ONNX models."""
