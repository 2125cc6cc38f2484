"""TensorFlow started quietly."""
