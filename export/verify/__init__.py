"""What a bundle holds, whether it decides as recorded, keys to sign it."""
