"""Networks: how a model file is described, opened, fed and read."""
