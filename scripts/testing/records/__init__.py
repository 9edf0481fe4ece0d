"""Records of runs that never took place, from known terms and seeded noise."""
