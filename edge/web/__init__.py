"""The page and HTTP for programs: what people and programs ask of a device that runs."""
