"""Running for months: the loop from source to sinks, signals, the systemd unit."""
