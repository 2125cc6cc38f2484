"""The heads of a bundle: gathered, enrolled again on another base."""
