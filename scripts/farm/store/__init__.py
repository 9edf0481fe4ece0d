"""What the farm keeps on the disk: records, their index, and the state of devices."""
