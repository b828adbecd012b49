"""Many formats on one model: quantized, evaluated, recorded, and shown in one table and picture."""
