"""Files: images, model files, JSON and folders that appear whole or not at all."""
