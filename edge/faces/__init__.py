"""From an image to aligned crops: detection, canonical faces, alignment, quality."""
