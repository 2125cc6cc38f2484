"""An album of one person: files, copies, independent groups, samples."""
