"""Keras layers that know no spec."""
