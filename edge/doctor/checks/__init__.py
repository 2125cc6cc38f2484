"""What `doctor` examines, one module for each area."""
