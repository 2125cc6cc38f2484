"""A run of `edge-train attributes`, from settings to the run folder."""
