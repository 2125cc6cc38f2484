"""What `edge-bench` measures on a device."""
