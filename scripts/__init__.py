"""Everything around a run: measuring, the farm, analysis and reports."""
