"""Figures on people that were not trained on."""
