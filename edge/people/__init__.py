"""Who is enrolled on this device: stored, encrypted, corrected, forgotten."""

KEY_FILE_VARIABLE = "EDGE_RECOGNIZE_KEY_FILE"
"""Environment variable that names the key file; here, so that help texts load no encryption."""
