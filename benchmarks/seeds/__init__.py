"""Seeds: what five people tried to build, each with one command, their mistakes made on stage."""
