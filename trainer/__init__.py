"""The workstation's floor: data, networks, training and their evaluation."""
