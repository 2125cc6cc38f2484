"""The ground floor: everything a Raspberry Pi needs to find, align and recognize faces.

Stands on NumPy, OpenCV, click, rich and a TFLite runtime; never imports TensorFlow, Keras, the
trainer or the exporter.
"""

__version__ = "0.1.0"
