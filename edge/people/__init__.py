"""Who is enrolled on this device: stored, encrypted, corrected, forgotten."""
