"""A run of `edge-train direct`: a whole network from ImageNet to one yes-or-no question."""
