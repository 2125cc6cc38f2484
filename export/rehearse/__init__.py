"""The rehearsal: a bundle on an emulated Raspberry Pi, in the Pi's own Python."""
