"""One image through detection, alignment, embedding and decision."""
