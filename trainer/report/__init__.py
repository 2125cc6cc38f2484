"""The parts that reports are made of: page, contact sheet, plots."""
