"""One folder per runtime. Each is the only importer of its SDK, and imports it only when a target is asked for."""
