"""ONNX files: reading, checking, converting and describing them."""
