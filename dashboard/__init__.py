"""Set up, watch and explain the Recall.ai x Zoom OAuth integration."""
