"""What a training costs: FLOPs, hours, memory, epochs."""
