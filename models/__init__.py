"""Numbers: formats, quantisation, the bitplane layer and its exact execution."""
