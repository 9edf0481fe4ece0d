"""A phone that is a process, for the real adb program."""
