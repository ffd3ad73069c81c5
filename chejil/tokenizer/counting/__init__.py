"""Words and how often they occur: counted in parallel, spilled in sorted runs, merged."""
