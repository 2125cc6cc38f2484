"""From the workstation to devices, over ssh."""
