"""Quantize a model layer after layer, each for the inputs that the layers before leave it."""
