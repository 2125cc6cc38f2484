"""Visits: who came, the owner's words about them, and what a change would decide differently."""
