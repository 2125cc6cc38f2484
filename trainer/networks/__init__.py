"""Networks: backbones, outputs, folding, quantization, several machines."""
