"""What is exported: run folders, photos, crops."""
