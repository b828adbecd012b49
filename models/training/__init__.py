"""Recovery training: what quantization lost learned back, within bitplane layers."""
