"""Circuit: parameters, components, Verilog and memory images."""
