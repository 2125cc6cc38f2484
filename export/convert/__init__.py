"""From a network to files: TFLite, ONNX, fused graphs."""
